const form = document.querySelector('form'), count = document.getElementById('count');
const cards = [...document.querySelectorAll('article')], files = [...document.querySelectorAll('section.file')];
function update() {
  const data = new FormData(form), severities = new Set(data.getAll('severity'));
  const words = (data.get('text') || '').toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const card of cards) {
    const text = card.textContent.toLowerCase();
    const fits = severities.has(card.dataset.severity)
      && (!data.get('category') || card.dataset.category === data.get('category'))
      && (!data.get('file') || card.dataset.file === data.get('file'))
      && words.every(word => text.includes(word));
    card.hidden = !fits;
    shown += fits;
  }
  for (const file of files) file.hidden = ![...file.querySelectorAll('article')].some(card => !card.hidden);
  count.textContent = shown + ' of ' + cards.length + ' shown';
}
function restore() {  // a link may say what is shown: #file=a.conf&severity=error
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const field of form.elements) {
    if (!field.name || !wanted.has(field.name)) continue;
    if (field.type === 'checkbox') field.checked = wanted.getAll(field.name).includes(field.value);
    else field.value = wanted.get(field.name);
  }
}
form.addEventListener('input', update);
form.addEventListener('input', () => history.replaceState(null, '', '#' + new URLSearchParams(new FormData(form))));
window.addEventListener('hashchange', () => { restore(); update(); });
form.addEventListener('submit', event => event.preventDefault());
restore();
update();
