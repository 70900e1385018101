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
form.addEventListener('input', update);
form.addEventListener('submit', event => event.preventDefault());
update();
