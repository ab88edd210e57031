// matches reports whether a page's path is one of the patterns: comma-separated, * for any characters, the whole path, as it is
// written. Letters beyond ASCII may be percent-encoded or not.
export const matches = (patterns, path) => patterns.split(',').some(pattern =>
  RegExp('^' + encodeURI(pattern.trim()).replace(/%25/g, '%').replace(/\W/g, '\\$&').replace(/\\\*/g, '.*') + '$').test(path));
