// Writes the page to stdout as React's server does: all but its end, which follows when stdin ends. The working directory has React.
const need = require('node:module').createRequire(process.cwd() + '/')
require('./page.js')

const React = need('react')
let written
const waiting = new Promise(done => process.stdin.once('end', done).resume()).then(() => written = true)
const Late = () => {
  if (!written) throw waiting
  return React.createElement('p', {id: 'late'}, 'Late')
}
const {pipe} = need('react-dom/server').renderToPipeableStream(page(React, process.argv[2], Late), {
  bootstrapScripts: ['/client.js'],
  onShellReady: () => pipe(process.stdout),
})
