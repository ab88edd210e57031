// The preview's page. Its address says, after the #, which attributes the widget's tag has there; with
// none said, there is no widget. Setting up the tag is all that this script does: the rest is proof.js.
const wanted = new URLSearchParams(location.hash.slice(1));
const language = wanted.get('data-lang');
if (language) {
  document.documentElement.lang = language;
  document.documentElement.dir = /Arab|Hebr|Thaa/.test(new Intl.Locale(language).maximize().script) ? 'rtl' : 'ltr';
}
if (wanted.has('src')) {
  const tag = document.createElement('script');
  tag.src = wanted.get('src');
  for (const [name, value] of wanted) {
    if (name.startsWith('data-')) tag.setAttribute(name, value);
  }
  document.head.append(tag);
}
