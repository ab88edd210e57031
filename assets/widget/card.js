import {isSafe} from './address.js';
import {inWords} from './age.js';
import {host} from './element.js';
import {direction} from './language.js';
import {serviceURL} from './settings.js';
import {fill} from './template.js';
import {SECOND} from './time.js';

// The card is what shows: the elements in the host, and the gestures on them.
const SWIPE = 40;                   // pixels

let root, card, image, message, time, button;
let sentence;                       // the template of what the card says
let hovered;
let refused;                        // the page's policy refuses a picture

const add = (parent, name, properties) => {
  const element = Object.assign(document.createElement(name), properties);
  parent.append(element);
  return element;
};

const ofPage = address => address[0] == '/' ? location.origin + address : address;   // whatever its <base>

// buildCard fills the host. held() follows a pointer that comes or goes, close() and click() what the visitor does.
export const buildCard = (held, close, click) => {
  root = host.attachShadow({mode: 'open'});
  card = add(root, 'aside', {part: 'card', hidden: true});   // until it has its style
  image = add(card, 'img', {part: 'image', alt: '',
    onload: () => image.style.background = '#fff', onerror: () => image.removeAttribute('src')});
  message = add(card, 'p', {part: 'message', dir: 'auto', role: 'status',   // polite, there before the first message
    onclick: ({target}) => target.closest('a') && click()});
  time = add(card, 'time', {part: 'time'});
  button = add(card, 'button', {part: 'close', textContent: '×', onclick: close});
  card.onpointerenter = card.onpointerleave = ({type, pointerType}) => {
    hovered = type == 'pointerenter' && pointerType != 'touch';
    held();
  };
  // The card follows one finger sideways. Up and down, and two fingers, are the page's (touch-action).
  let finger;
  card.ontouchstart = ({touches}) => finger = touches.length == 1 && touches[0];
  card.ontouchmove = card.ontouchend = card.ontouchcancel = ({type, changedTouches: [touch]}) => {
    const x = finger ? touch.clientX - finger.clientX : 0;
    card.style.translate = type == 'touchmove' ? x + 'px' : '';
    if (type == 'touchend' && Math.abs(x) > SWIPE) close();
  };
};

// styleCard adds the stylesheet and calls then() when the card has it. What cannot be loaded is tried again, ever less often.
export const styleCard = (nonce, then) => {
  let again = SECOND;
  const link = add(root, 'link', {rel: 'stylesheet', nonce, href: serviceURL('proof.css'), onload: () => {
    card.hidden = false;
    then();
  }, onerror: () => setTimeout(() => root.append(link), again *= 2)});
};

// unstyleCard hides the card until the stylesheet has been loaded once more: the host has left the page.
export const unstyleCard = () => card.hidden = true;

export const isStyled = () => !card.hidden;

// isHeld reports whether the visitor points at the card, or has the focus on it.
export const isHeld = () => hovered || root.activeElement;

// letIn shows the card, from a side of the window.
export const letIn = (words, age, side) => {
  card.className = side;
  image.style.background = sentence = '';
  if (!refused) image.src = isSafe(words.event.img_path) ? ofPage(words.event.img_path) : serviceURL('default.svg');
  draw(words, age);
  // A body with a transform or the like carries its fixed children along.
  if (Math.abs(host.getBoundingClientRect().bottom - innerHeight) > 40) document.documentElement.append(host);
  dodge();                          // forces a layout, so that the slide begins outside the window
  host.className = 'visible';
};

// draw brings the card up to date. The live region is touched only when the sentence changes.
export const draw = ({code, template, close, label, event}, age) => {
  card.lang = code;
  card.dir = code && direction(code);
  card.setAttribute('aria-label', label);
  button.setAttribute('aria-label', close);
  time.textContent = (event.id ? '' : 'Test · ') + inWords(age, code || 'en');
  if (sentence == template) return;
  sentence = template;
  message.textContent = '';
  const words = isSafe(event.url) ? add(message, 'a', {href: ofPage(event.url), rel: 'noopener'}) : message;
  for (const piece of fill(template, event)) {
    if (piece.trim) words.append(piece);
    else add(words, 'bdi', {textContent: piece[0], translate: false});
  }
};

// slide takes the card into the window, or out of it.
export const slide = inside => card.classList.toggle('in', inside);

// dodge takes the card to the other edge where it would wholly cover what has the focus (WCAG 2.4.11).
export const dodge = () => {
  const focus = document.activeElement.getBoundingClientRect();
  if (focus.left >= card.offsetLeft && focus.right <= card.offsetLeft + card.offsetWidth &&
      focus.top >= card.offsetTop && focus.bottom <= card.offsetTop + card.offsetHeight) card.classList.toggle('top');
};

// emptyCard takes the card away, and what it says, at once.
export const emptyCard = () => {
  root.activeElement?.blur();
  hovered = false;
  host.className = card.className = message.textContent = '';
  image.removeAttribute('src');     // it must not stand beside the next name
};

// refusePicture notes that the page's policy refuses an address, if it is that of the picture.
export const refusePicture = address => refused ||= address == image.src;
