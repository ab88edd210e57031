// The page that React renders on the server and hydrates in the browser: the whole document. Late is a component at its end.
globalThis.page = (React, widget, Late) => {
  const h = React.createElement
  return h('html', {lang: 'en'},
    h('head', null,
      h('meta', {charSet: 'utf-8'}),
      h('title', null, 'A page'),
      h('link', {rel: 'icon', href: 'data:,'}),
      h('script', {src: '/witness.js'}),
      h('script', {async: true, src: widget, 'data-duration': '300', 'data-cooldown': '150'})),
    h('body', null,
      h('h1', null, 'A page'),
      h(React.Suspense, {fallback: h('p', null, 'To come')}, h(Late)),
      h('p', null, 'The end')))
}
