// Runs before the widget. It records what happens on the page: `seen` has the widget's events about cards, `told` those about signups,
// `opened` the times at which it opened a stream, `heard` the kind and id of each event of the stream, `visible` the times at which the card became visible and hidden in turn,
// `shift` the layout shift. Date.now is `ahead` milliseconds fast.
var opened = [], heard = []
window.EventSource = class extends EventSource {
  constructor(...args) {
    super(...args)
    opened.push(performance.now())
    for (const kind of ['ready', 'signup', 'retract', 'busy'])
      this.addEventListener(kind, e => heard.push(kind + ' ' + e.lastEventId))
  }
}
var seen = [], told = [], visible = [], ahead = 0, shift = 0
const realNow = Date.now
Date.now = () => realNow() + ahead
for (const type of ['show', 'close', 'click'])
  addEventListener('proof:' + type, e => seen.push({type, at: performance.now(), ...e.detail}))
for (const type of ['signup', 'retract'])
  addEventListener('proof:' + type, e => told.push({type, ...e.detail}))
new PerformanceObserver(list => { for (const e of list.getEntries()) shift += e.value })
  .observe({type: 'layout-shift', buffered: true})
new MutationObserver(() => {
  const on = !!document.querySelector('#proof-popup.visible')
  if (on != (visible.length % 2 == 1)) visible.push(performance.now())
}).observe(document, {subtree: true, childList: true, attributeFilter: ['class']})
var part = name => document.getElementById('proof-popup')?.shadowRoot.querySelector('[part=' + name + ']')
var says = () => part('message')?.textContent
var shows = () => seen.filter(e => e.type == 'show')
