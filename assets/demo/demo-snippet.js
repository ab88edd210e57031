// The snippet to paste, in three forms.

import {$, copy} from './demo-fields.js';
import {setting, settings} from './demo-settings.js';
import {siteTrouble} from './demo-site.js';
import {ask, base} from './demo-service.js';

const escape = text => text.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;');
const form = () => document.querySelector('[name=form]:checked').value;

let manifest;                     // of proof.js: its pinned path, and its hash
const pinned = () => $('pin').checked && form() != 'address' ? manifest : undefined;
const source = () => base + (pinned()?.path.slice(1) ?? 'assets/proof.js');

function withQuery() {
  const query = new URLSearchParams(settings()).toString();
  return source() + (query && '?' + query);
}

const forms = {
  tag() {
    const pin = pinned() ? [['integrity', manifest.integrity], ['crossorigin', 'anonymous']] : [];
    const words = [['src', source()], ...pin, ...settings().map(([name, value]) => ['data-' + name, value])]
      .map(([name, value]) => `${name}="${escape(value)}"`);
    return '<script async ' + words.join('\n        ') + '></script>';
  },
  // Tag managers know old JavaScript only, and take an apostrophe for the end of the text: the query has it encoded.
  manager() {
    const pin = pinned() ? `  script.integrity = '${manifest.integrity}';\n  script.crossOrigin = 'anonymous';\n` : '';
    return `<script>\n(function () {\n  var script = document.createElement('script');\n  script.async = true;\n${pin}` +
      `  script.src = '${withQuery()}';\n  document.head.appendChild(script);\n})();\n</script>`;
  },
  address: withQuery,
};

const help = {
  tag: 'Anywhere in the page will do.',
  manager: 'For a tag of custom HTML that fires once on every page, after consent where you ask for it.',
  address: 'For what takes only the address of a script: the settings are in its query.',
};

export function snippet() {
  const wrong = siteTrouble();
  const text = wrong ? '' : forms[form()]();
  // A narrow panel breaks its lines after a slash, which is no part of what is copied.
  $('snippet').replaceChildren(...text.split(/(?<=\w\/)(?=\w)/).flatMap(piece => [piece, document.createElement('wbr')]));
  $('snippet').parentElement.hidden = $('copy').disabled = !!wrong;
  $('copied').textContent = wrong && 'Correct the site first, beside the API key.';
  $('copied').classList.toggle('bad', !!wrong);
  $('form-help').textContent = help[form()] + (setting('card') == 'off' && form() != 'tag' ? ' Without a card it needs your own code beside it.' : '');
  $('pinning').hidden = form() == 'address';
  $('pin-help').hidden = !pinned();
}

$('pin').addEventListener('change', async () => {
  manifest ??= (await ask('assets/manifest.json')).data['proof.js'];
  if (!manifest) $('pin').checked = false;
  snippet();
});

for (const choice of document.querySelectorAll('[name=form]')) choice.addEventListener('change', snippet);

$('copy').addEventListener('click', async () => {
  $('copied').textContent = await copy($('snippet'), 'Copied.');
});

// A source of a policy that ends with a slash stands for all below it, one without for that file alone (CSP 3, section 6.7.2.12).
$('policy').textContent = base == location.origin + '/' ? location.origin : base;
