// The controls of the page, and what is said beside one whose value is wrong.

export const $ = id => document.getElementById(id);
export const adjust = $('adjust');
export const send = $('send');
export const siteField = adjust.elements.site;
export const apiKey = () => send.elements.key.value.trim();

export function make(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

let named = 0;

// complain says what is wrong with a control's value, below the control; an empty text takes that back.
export function complain(control, text) {
  if (!control.id && !text) return;
  control.id ||= 'control-' + ++named;
  const id = control.id + '-trouble';
  let line = $(id);
  if (!line) {
    if (!text) return;
    line = make('p', {id, className: 'trouble', role: 'status'});
    const label = control.closest('label');
    const pair = label.closest('.pair');
    if (pair) pair.append(line);
    else label.after(line);
    control.setAttribute('aria-describedby', [control.getAttribute('aria-describedby'), id].filter(Boolean).join(' '));
  }
  if (line.textContent != text) line.textContent = text;
  line.hidden = !text;
  if (text) control.setAttribute('aria-invalid', 'true');
  else control.removeAttribute('aria-invalid');
}

// ruleOf says which values a control takes.
function ruleOf({dataset, type, min, max}) {
  if (dataset.rule) return dataset.rule;
  return type == 'number' ? `A whole number from ${(+min).toLocaleString('en')} to ${(+max).toLocaleString('en')}.` : 'The browser cannot read this.';
}

// check complains about a control whose value its own rule refuses.
export function check(control) {
  if (control.validity) complain(control, control.validity.valid ? '' : ruleOf(control));
}

// copy puts the text of an element on the clipboard, or selects it, and returns what to tell.
export async function copy(element, done) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return done;
  } catch {
    getSelection().selectAllChildren(element);
    return 'Selected: copy it with your keyboard.';
  }
}
