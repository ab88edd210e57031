// Hydrates the page, and tells the server when that is done. faults has what React complains of.
var faults = []
console.error = (...args) => faults.push(args.join(' '))
addEventListener('error', e => faults.push(e.message))

const {hydrateRoot} = modules['react-dom/client'] || modules['react-dom']
const React = modules.react
const Late = () => React.createElement('p', {id: 'late'}, 'Late')
const Hydrated = () => {
  React.useEffect(() => void fetch('/hydrated').then(() => window.hydrated = true), [])
  return page(React, widget, Late)
}
hydrateRoot(document, React.createElement(Hydrated), {onRecoverableError: e => faults.push(e.message)})
