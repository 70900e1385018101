const form = document.querySelector('form'), count = document.getElementById('count');
const search = form.elements.text;
const cards = [...document.querySelectorAll('article')], groups = [...document.querySelectorAll('section.group')];
const texts = cards.map(card => card.textContent.toLowerCase());
let hits = [], at = -1;
function update() {
  const data = new FormData(form), severities = new Set(data.getAll('severity'));
  const words = (data.get('text') || '').toLowerCase().split(/\s+/).filter(Boolean);
  const category = data.get('category'), file = data.get('file');
  hits = cards.filter((card, number) => {
    const fits = severities.has(card.dataset.severity)
      && (!category || card.dataset.category === category)
      && (!file || card.dataset.file === file)
      && words.every(word => texts[number].includes(word));
    card.hidden = !fits;
    return fits;
  });
  for (const group of groups) group.hidden = !group.querySelector('article:not([hidden])');
  go(-1);
}
function go(number) {  // to a hit; -1: to none
  for (const card of document.querySelectorAll('.current')) card.classList.remove('current');
  at = number;
  if (at >= 0) { hits[at].classList.add('current'); hits[at].scrollIntoView({ block: 'center' }); }
  const wanted = search.value.trim();
  if (!hits.length) count.textContent = wanted ? 'No finding contains "' + wanted + '"' : 'No finding has these properties';
  else count.textContent = hits.length + ' of ' + cards.length + ' shown' + (at >= 0 ? ', at ' + (at + 1) : '');
  search.classList.toggle('missing', !hits.length && wanted !== '');
}
function step(by) { if (hits.length) go((at + by + hits.length) % hits.length); }
function restore() {  // a link may say what is shown: #file=a.conf&severity=error, or name one finding
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const field of form.elements) {
    if (!field.name || !wanted.has(field.name)) continue;
    if (field.type === 'checkbox') field.checked = wanted.getAll(field.name).includes(field.value);
    else field.value = wanted.get(field.name);
  }
}
function follow() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (!target) { restore(); update(); if (search.value.trim()) step(1); return; }
  if (target.closest('[hidden]')) { form.reset(); update(); }  // a filter must not hide what a link leads to
  if (target.matches('article')) go(hits.indexOf(target)); else target.scrollIntoView();
}
form.addEventListener('input', event => {
  update();
  history.replaceState(null, '', '#' + new URLSearchParams(new FormData(form)));
  if (event.target === search && search.value.trim()) step(1);
});
form.addEventListener('submit', event => event.preventDefault());
search.addEventListener('keydown', event => {
  if (event.key === 'Enter') { event.preventDefault(); step(event.shiftKey ? -1 : 1); }
  if (event.key === 'Escape') { search.value = ''; form.dispatchEvent(new Event('input')); search.blur(); }
});
document.addEventListener('keydown', event => {
  if (event.target.matches('input, select, textarea') || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === '/') { event.preventDefault(); search.focus(); }
  if (event.key === 'j' || event.key === 'n') step(1);
  if (event.key === 'k' || event.key === 'p') step(-1);
});
window.addEventListener('hashchange', follow);
window.addEventListener('beforeprint', () => { for (const each of document.querySelectorAll('details')) each.open = true; });
update();
follow();
