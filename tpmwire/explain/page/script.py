"""The script of the HTML page: highlighting, keyboard, filter, permalinks of fields."""

__all__ = ["SCRIPT"]

SCRIPT = r"""
(() => {
const all = (q, e = document) => [...e.querySelectorAll(q)], one = (q, e = document) => e.querySelector(q);
const range = f => f.dataset.o.split(' ').map(Number);
const cells = new WeakMap();
// The bytes of a message: [span, offset, end], by the length of the text before each span.
const bytes = m => {
  if (!cells.has(m)) {
    let at = 0;
    cells.set(m, all('.d b', m).map(b => [b, at, at += (b.textContent.length + 1) / 3]));
  }
  return cells.get(m);
};
let lit = [], pinned = null;
const light = f => {
  lit.forEach(e => e.classList.remove('lit'));
  lit = [];
  if (!f) return;
  const [from, size] = range(f);
  lit = [f, ...bytes(f.closest('.m')).filter(([, a, b]) => a < from + size && b > from).map(([b]) => b)];
  lit.forEach(e => e.classList.add('lit'));
};
const narrow = (m, at) => all('.f:not(.k)', m).findLast(f => {
  const [from, size] = range(f);
  return from <= at && at < from + size;
});
const narrowest = (m, b) => narrow(m, bytes(m).find(c => c[0] === b)[1]);
// After an arrow key, what it scrolls below the pointer does not count until the pointer moves.
let pointer = '', rests = false;
document.addEventListener('mousemove', e => {
  const at = e.clientX + ' ' + e.clientY;
  if (at !== pointer) rests = false;
  pointer = at;
});
document.addEventListener('mouseover', e => {
  if (rests) return;
  const f = e.target.closest('.f'), b = e.target.closest('.d b');
  light(f || (b ? narrowest(b.closest('.m'), b) : pinned));
});

// A tree of fields is one stop of the Tab key; arrows move inside it.
all('.t').forEach(t => {
  t.setAttribute('role', 'tree');
  t.setAttribute('aria-label', 'Fields of message ' + (+t.closest('.m').id.slice(1) + 1));
  all('ul', t).forEach(u => u.setAttribute('role', 'group'));
  all('li', t).forEach((li, n) => {
    li.setAttribute('role', 'treeitem');
    li.tabIndex = n ? -1 : 0;
    if (one(':scope>ul', li)) li.setAttribute('aria-expanded', 'true');
  });
});
const rove = (to, stops) => {
  if (!to) return;
  rests = true;
  stops.forEach(e => e.tabIndex = -1);
  to.tabIndex = 0;
  to.focus();
};
const toggle = (li, open) => li.hasAttribute('aria-expanded') && li.setAttribute('aria-expanded', open);
document.addEventListener('focusin', e => {
  const li = e.target.closest('.t li');
  pinned = li ? one('.f', li) : null;
  light(pinned);
  const hash = li && '#' + li.closest('.m').id + ':' + range(pinned)[0].toString(16);
  if (hash) try { history.replaceState(null, '', hash); } catch {}
});
document.addEventListener('click', e => {
  const f = e.target.closest('.t .f'), b = e.target.closest('.d b');
  const to = f || b && narrowest(b.closest('.m'), b);
  if (!to) return;
  const li = to.closest('li');
  if (f && !getSelection().toString()) toggle(li, li.ariaExpanded !== 'true');
  rove(li, all('.t li', li.closest('.m')));
});
const links = all('.rail a');
links.forEach((a, n) => a.tabIndex = n ? -1 : 0);
document.addEventListener('keydown', e => {
  const at = document.activeElement, li = at.closest('.t li'), link = at.closest('.rail a');
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === '/' && !at.matches('input')) { e.preventDefault(); one('#find')?.focus(); return; }
  if (stepping() && e.key === 'Escape') return leave();
  if (stepping() && !li && !link && !at.matches('input')) {
    const n = { ArrowRight: now + 1, ArrowLeft: now - 1 }[e.key];
    if (n !== undefined) { e.preventDefault(); show(n); }
  }
  if (!li && !link) return;
  const stops = li ? all('.t li', li.closest('.m')) : links;
  const seen = stops.filter(s => s.offsetParent), n = seen.indexOf(at);
  const to = { ArrowDown: n + 1, ArrowUp: n - 1, Home: 0, End: seen.length - 1 }[e.key];
  if (to !== undefined) { e.preventDefault(); rove(seen[to], stops); }
  if (!li) return;
  if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') {
    const open = e.key === 'ArrowRight';
    e.preventDefault();
    if (li.ariaExpanded === String(!open)) toggle(li, open);
    else rove(open ? one('ul>li', li) : li.parentElement.closest('li'), stops);
  }
});

// The filter: text of the card, and refused commands.
const find = one('#find'), refused = one('#refused'), cards = all('.x'), told = one('#told'), texts = new Map();
const filter = () => {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean), compact = words.join('');
  let count = 0;
  cards.forEach((x, n) => {
    let show = !refused?.checked || x.classList.contains('bad');
    if (show && words.length) {
      if (!texts.has(x)) {
        const hex = d => all('b', d).map(b => b.textContent).join('').replace(/ /g, '');
        texts.set(x, [x.textContent.toLowerCase(), all('.d', x).map(hex).join('|')]);
      }
      const [text, hex] = texts.get(x);
      show = words.every(w => text.includes(w)) || /^[0-9a-f]{4,}$/.test(compact) && hex.includes(compact);
    }
    x.hidden = !show;
    if (links[n]) links[n].parentElement.hidden = !show;
    count += show;
  });
  told.textContent = words.length || refused?.checked ? count + ' of ' + cards.length + ' shown' : '';
};
['input', 'change'].forEach(kind => find?.addEventListener(kind, filter));
refused?.addEventListener('change', filter);

// The rail shows which card is on the screen.
const mark = x => {
  links.forEach(a => a.removeAttribute('aria-current'));
  const a = links[cards.indexOf(x)];
  if (!a) return;
  a.setAttribute('aria-current', 'true');
  const box = one('nav details'), r = a.getBoundingClientRect(), v = box.getBoundingClientRect();
  if (r.top < v.top || r.bottom > v.bottom) box.scrollTop += r.top - v.top - 60;
};

// One message at a time: #step8 is the message 8.
const body = document.body, messages = all('.m');
let steps = [], now = 0;
const show = n => {
  now = Math.max(0, Math.min(steps.length - 1, n));
  all('.now').forEach(e => e.classList.remove('now'));
  const m = steps[now], w = one('.w', m), x = m.closest('.x');
  m.classList.add('now');
  x.classList.add('now');
  if (w) w.open = true;
  one('#step').textContent = 'message ' + (now + 1) + ' of ' + steps.length +
    (w ? '' : ': no session protects it; anyone on the bus can read and change it');
  one('#back').disabled = !now;
  one('#next').disabled = now === steps.length - 1;
  try { history.replaceState(null, '', '#step' + m.id.slice(1)); } catch {}
  mark(x);
  scrollTo(0, one('main').getBoundingClientRect().top + scrollY - 8);
};
const step = (list, n) => {
  steps = list;
  body.classList.add('stepping');
  one('.bar').hidden = false;
  show(n);
  one('#next').focus({ preventScroll: true });
};
const leave = () => {
  const m = steps[now];
  body.classList.remove('stepping');
  one('.bar').hidden = true;
  all('.now').forEach(e => e.classList.remove('now'));
  m.scrollIntoView();
};
all('.go').forEach(b => b.addEventListener('click', () => {
  const places = b.dataset.p?.split(' ').map(p => document.getElementById('m' + p)?.closest('.x'));
  step(places ? messages.filter(m => places.includes(m.closest('.x'))) : messages, 0);
}));
if (one('.bar')) {
  one('#back').onclick = () => show(now - 1);
  one('#next').onclick = () => show(now + 1);
  one('#all').onclick = leave;
}
const stepping = () => body.classList.contains('stepping');

// A permalink #m3:1c leads to the field of message 3 at the offset 0x1c.
const follow = () => {
  const at = location.hash.match(/^#step(\d+)$/), to = document.getElementById(location.hash.slice(1));
  if (at && document.getElementById('m' + at[1])) step(messages, messages.findIndex(m => m.id === 'm' + at[1]));
  else if (stepping() && to) {
    const n = steps.findIndex(m => to.contains(m) || to === m);
    if (n < 0) step(messages, messages.findIndex(m => to.contains(m))); else show(n);
  }
  const [, id, offset] = location.hash.match(/^#(m\d+):([0-9a-f]+)$/) || [];
  const m = id && document.getElementById(id);
  const f = m && narrow(m, parseInt(offset, 16));
  if (!f) return;
  rove(f.closest('li'), all('.t li', m));
  f.scrollIntoView({ block: 'center' });
};
addEventListener('hashchange', follow);
follow();

if (innerWidth < 896 && links.length > 12) one('nav details').open = false;
const eye = new IntersectionObserver(seen => seen.forEach(s => s.isIntersecting && !stepping() && mark(s.target)),
  { rootMargin: '-10% 0px -70% 0px' });
cards.forEach(x => eye.observe(x));
addEventListener('beforeprint', () => all('details').forEach(d => d.open = true));
})();
"""
