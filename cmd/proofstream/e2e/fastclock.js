// Runs before the witness. Intervals run fifty times as often. pass advances `ahead` by steps of at most 20 s, and waits after each
// step for two ticks of an interval of a second: by then all such intervals on the page have ticked at least once.
var ticks = 0
const interval = setInterval
setInterval = (f, ms) => interval(f, ms / 50)
setInterval(() => ticks++, 1000)
var pass = async ms => {
  for (; ms > 0; ms -= 2e4) {
    const before = ticks
    ahead += Math.min(ms, 2e4)
    while (ticks < before + 2) await new Promise(done => setTimeout(done, 5))
  }
}
