/*
 * proofstream: small cards that tell who signed up a moment ago.
 *
 *   <script async src="https://proof.example.com/assets/proof.js"></script>
 *
 * is all a page needs; attributes on that tag adjust it (README, "The widget").
 *
 * The rooms of this file, top to bottom: settings, clock, memory, card, queue, connection, element.
 * Whatever fails, fails quietly: this script is never why a page breaks.
 */
(() => {
  const SECOND = 1000;
  const MINUTE = 60 * SECOND;
  const DAY = 1440 * MINUTE;

  const SLIDE = 1250;               // longest way in or out; a short data-duration shortens it
  const JUST = 5 * MINUTE;          // what is older did not "just" happen
  const BACKLOG = 10;               // events that may wait, the newest
  const CATCH_UP = 3;               // of those, shown after a long absence
  const REMEMBERED = 200;           // ids of events handled or seen, the newest
  const ABSENCE = MINUTE;           // hidden for longer, a tab lets its stream go
  const ASLEEP = MINUTE;            // a clock that stood still for longer means that the machine slept
  const OPENING = 20 * SECOND;      // for the first frame of a stream; then GET /recent helps out ...
  const LOOK_EVERY = 30 * SECOND;   // ... this often
  const RETRY = 50 * SECOND;        // for the browser's own attempt: the longest `retry` and an opening
  const SILENCE = 5 * MINUTE;       // without any event a stream may be half open; spread by a fifth
  const SWIPE = 40;                 // pixels

  let host;                         // the one element; a tag for which it exists already is ignored
  const tag = document.currentScript ||
    [...document.scripts].find(script => /\/proof(\.\w+)?\.js/.test(script.src));
  if (!tag || customElements.get('proof-popup')) return;

  // ---- Settings: the only lines that read the tag. What cannot be read counts as absent.

  const attribute = name => (tag.getAttribute('data-' + name) || '').trim();
  const number = (name, otherwise) => /^\d{1,9}$/.test(attribute(name)) ? +attribute(name) : otherwise;
  const choice = (name, ...choices) => choices.find(word => word == attribute(name)) || choices[0];

  const site = attribute('site') || 'default';
  const position = choice('position', 'bottom-right', 'bottom-left', 'top-right', 'top-left');
  const duration = number('duration') || 3500;
  const cooldown = number('cooldown', 2000);
  const delay = number('delay', 0);
  const maxPerPage = number('max-per-page', 0);
  const maxPerSession = number('max-per-session', 0);
  const recent = Math.min(number('recent', 0), 20);
  const dismiss = choice('dismiss', 'session', 'card', 'day', 'forever');
  const onPhones = choice('mobile', 'on', 'off') == 'on';
  const mayStore = choice('storage', 'on', 'off') == 'on';
  const mayStart = () => !/^wait$/.test(attribute('consent'));

  // The first of the tag's and the page's languages that is one.
  const language = () => [attribute('lang'), document.documentElement.lang].find(code => {
    try {
      return Intl.getCanonicalLocales(code)[0];
    } catch {}
  }) || '';

  // The sentence for a language, from its most specific to no code: pt-br, pt, "".
  function template(code, past) {
    const name = past ? 'template-past' : 'template';
    for (; code; code = code.replace(/-?[^-]*$/, '')) {
      if (attribute(name + '-' + code)) return attribute(name + '-' + code);
    }
    return attribute(name) || `{user_name} ${past ? '' : 'just '}signed up with {offer_name}${past ? '' : '!'}`;
  }

  // An address as POST /signup accepts it: https: or one leading slash; printable ASCII, no user info.
  const isSafe = address =>
    /^(?=[!#-;=?-[\]-~]{1,2048}$)(https:\/\/[^/?#@]+([/?#]|$)|\/(?!\/))/i.test(address);
  const beside = path => new URL(path, tag.src).href;

  // ---- Clock: ages are told by the service's clock, as the visitor's may be wrong.

  const started = Date.now();
  let skew = 0;                     // service's clock less ours
  let since;                        // what came later, by the service's clock, is live; unknown at first

  function setClock(offset) {
    skew = offset || skew;
    since ??= started + skew;
  }

  const age = event => Math.max(0, Date.now() + skew - Date.parse(event.at));

  function ageInWords(milliseconds, code) {
    const minutes = Math.floor(milliseconds / MINUTE);
    const [count, unit] = minutes < 60 ? [minutes, minutes ? 'minute' : 'second'] :
      minutes < 1440 ? [minutes / 60, 'hour'] : [minutes / 1440, 'day'];
    return new Intl.RelativeTimeFormat(code || undefined, {numeric: minutes ? 'always' : 'auto'})
      .format(-Math.floor(count), unit);
  }

  // ---- Memory: one record in each storage; where that is off, refused or full, in here.

  const KEY = 'proofstream:' + site;
  const unstored = {};

  function recall(area) {
    let stored;
    try {
      stored = mayStore && JSON.parse(window[area][KEY]);
    } catch {}
    return {...stored, ...unstored[area]};
  }

  function remember(area, changes) {
    unstored[area] = {...recall(area), ...changes};
    try {
      if (mayStore) {
        window[area][KEY] = JSON.stringify(unstored[area]);
        unstored[area] = 0;
      }
    } catch {}
  }

  // Ids of the cards seen in the last day, each with its time, the latest last.
  const seen = () => Object.entries(recall('localStorage').seen || {})
    .filter(([, time]) => time > Date.now() - DAY).slice(1 - REMEMBERED);
  const isDismissed = () => recall('sessionStorage').closed || recall('localStorage').until > Date.now();
  const isCapped = () => maxPerPage && shown >= maxPerPage ||
    maxPerSession && recall('sessionStorage').count >= maxPerSession;

  // ---- Card

  class ProofPopup extends HTMLElement {
    pause() {
      paused = true;
      proceed();
    }

    resume() {
      paused = false;
      proceed();
      next();
    }

    consent() {
      begin();
    }

    destroy() {
      alive = false;
      close('elapsed');
      update();
      clearTimeout(timer);
      clearInterval(ticking);
      observer.disconnect();
      listening.abort();
      host.remove();
    }

    // A page that writes its own HTML anew (body.innerHTML += ...) makes a hollow copy of the host.
    connectedCallback() {
      if (this != host) this.remove();
    }

    // ... and one that replaces it throws the host out: it comes back, with all that waits.
    disconnectedCallback() {
      if (this == host) {
        card.hidden = true;
        setTimeout(attach);
      }
    }
  }

  customElements.define('proof-popup', ProofPopup);
  host = document.createElement('proof-popup');
  host.id = 'proof-popup';
  host.style.cssText = 'position:fixed!important';   // out of the flow before the stylesheet is there
  const root = host.attachShadow({mode: 'open'});

  function add(parent, name, part) {
    const element = document.createElement(name);
    if (part) element.part = part;
    parent.append(element);
    return element;
  }

  const card = add(root, 'aside', 'card');
  let image = add(card, 'img', 'image');
  const message = add(card, 'p', 'message');
  const time = add(card, 'time', 'time');
  const button = add(card, 'button', 'close');
  card.hidden = true;               // until its stylesheet is there
  card.ariaLabel = 'Signups';
  message.role = 'status';          // a polite live region, there before the first message
  button.ariaLabel = 'Close';
  button.textContent = '×';
  button.onclick = () => close('dismissed');

  let sentence;                     // the template that the card shows

  // draw brings words and age up to date; the live region is touched only when the sentence changes.
  function draw() {
    const code = language();
    const past = age(current) > JUST;
    card.lang = code;
    card.dir = code && (/^(ar|ckb|dv|fa|he|iw|ps|sd|ug|ur|yi)\b/i.test(code) ? 'rtl' : 'ltr');
    time.textContent = ageInWords(age(current), code);
    if (sentence == (sentence = template(code, past))) return;
    const words = document.createElement(isSafe(current.url) ? 'a' : 'span');
    if (isSafe(current.url)) {
      words.href = current.url;
      words.rel = 'noopener';
      words.onclick = () => dispatch('click');
    }
    const known = /\{(user_name|offer_name|place)\}/;
    sentence.replace(RegExp(known, 'g'), (name, field) => current[field] ? name : '').replace(/\s+/g, ' ').trim()
      .split(known).forEach((text, odd) => {
        if (odd % 2) add(words, 'bdi').textContent = current[text];
        else words.append(text);
      });
    message.replaceChildren(words);
  }

  // A fresh element each time: the last one's picture must not stand beside another name.
  function drawImage() {
    const fresh = document.createElement('img');
    fresh.part = 'image';
    fresh.alt = '';
    fresh.onload = () => fresh.style.background = 'none';   // the neutral picture
    fresh.src = isSafe(current.img_path) ? current.img_path : beside('default.svg');
    image.replaceWith(fresh);
    image = fresh;
  }

  function dispatch(name, more) {
    host.dispatchEvent(new CustomEvent('proof:' + name,
      {bubbles: true, composed: true, detail: {...current, ...more}}));
  }

  // What has the focus is never wholly under the card (WCAG 2.4.11): the card takes the other edge.
  function dodge() {
    const focus = document.activeElement?.getBoundingClientRect();
    if (current && focus &&
        focus.left >= card.offsetLeft && focus.right <= card.offsetLeft + card.offsetWidth &&
        focus.top >= card.offsetTop && focus.bottom <= card.offsetTop + card.offsetHeight) {
      card.classList.toggle('top');
    }
  }

  card.onpointerenter = ({pointerType}) => {
    hovered = pointerType != 'touch';
    proceed();
  };
  card.onpointerleave = () => {
    hovered = false;
    proceed();
  };
  card.onfocusin = card.onfocusout = () => setTimeout(proceed);

  // A swipe to any side but up closes; until then the card follows the finger.
  let finger;
  card.ontouchstart = event => finger = event.touches[0];
  card.ontouchmove = card.ontouchend = event => {
    const {clientX, clientY} = event.changedTouches[0];
    const x = clientX - finger.clientX;
    const y = clientY - finger.clientY;
    const moving = event.type == 'touchmove';
    card.style.translate = moving ? x + 'px ' + y + 'px' : '';
    if (!moving && Math.hypot(x, y) > SWIPE) close('dismissed');
  };

  // ---- Queue: idle -> showing -> cooling -> idle

  const IDLE = 0, SHOWING = 1, COOLING = 2;
  const narrow = matchMedia('(max-width:767px)');
  const slide = matchMedia('(prefers-reduced-motion:reduce)').matches ? 0 : Math.min(SLIDE, duration / 2.5);
  let state = IDLE;
  let backlog = [];                 // events that wait, oldest first
  let handled = [];                 // ids that need no second look
  let newest = 0;                   // time of the newest of them
  let past = recent;                // events from before the page that are still welcome
  let current;                      // the event that shows
  let shown = 0;
  let timer;                        // of the state we are in
  let off = 0;                      // when the card goes; 0 while it is held ...
  let left;                         // ... for so long then
  let paused, hovered, asking, release;

  // enqueue takes an event that another tab, the stream or /recent has told of, maybe once more.
  function enqueue(event) {
    const at = Date.parse(event.at);
    if (handled.includes(event.id) || !at) return;
    drop(event.id);
    newest = Math.max(newest, at);
    if (!(at > since) && past-- < 1) return;
    backlog.push(event);
    backlog.sort((a, b) => a.at < b.at ? -1 : 1).splice(0, backlog.length - BACKLOG);
    next();
  }

  function drop(id) {
    handled = [id, ...handled].slice(0, REMEMBERED);
    backlog = backlog.filter(event => event.id != id);
  }

  // next shows the next event when it may: one card at a time, in one of all visible tabs.
  async function next() {
    if (state || asking || paused || document.hidden || card.hidden || !backlog.length || !wanted()) return;
    clearTimeout(timer);
    const early = started + delay - Date.now();
    if (early > 0) {
      timer = setTimeout(next, early);
      return;
    }
    asking = true;
    try {
      const turn = () => new Promise(done => {
        release = done;
        if (document.hidden || paused || !wanted() || !show()) done();
      });
      await (locks ? locks.request(KEY + ' card', turn) : turn());
    } catch {}
    asking = false;
    next();
  }

  // show shows the first live event, else the first, that nobody has seen; without one it returns false.
  function show() {
    const record = seen();
    backlog = backlog.filter(event => !record.some(([id]) => id == event.id));
    current = backlog.find(event => Date.parse(event.at) > since) || backlog[0];
    if (!current) return;
    const {id} = current;
    drop(id);
    tell({type: 'seen', data: {id}});
    remember('localStorage', {seen: Object.fromEntries([...record, [id, Date.now()]])});
    remember('sessionStorage', {count: (recall('sessionStorage').count || 0) + 1});
    shown++;
    state = SHOWING;
    sentence = off = 0;
    left = duration;
    card.className = narrow.matches ? '' : position.replace('-', ' ');
    card.style.transitionDuration = slide + 'ms';
    host.className = 'visible';
    drawImage();
    draw();
    dodge();                        // measures, and so settles where the slide begins
    dispatch('show');
    proceed();
    return true;
  }

  // proceed takes the card that shows to where it should be by now, after anything that may hold it too.
  function proceed() {
    if (state != SHOWING) return;
    clearTimeout(timer);
    const now = Date.now();
    const held = paused || hovered || root.activeElement;
    if (held && off) {
      left = Math.max(off - now, 2 * slide);
      off = 0;
    } else if (!held) {
      off ||= now + left;
      if (now >= off) return close('elapsed');
      const out = off - slide;
      timer = setTimeout(proceed, (now < out ? out : off) - now);
    }
    card.classList.toggle('in', !off || now < off - slide);
  }

  function close(reason) {
    if (state != SHOWING) return;
    clearTimeout(timer);
    state = COOLING;
    const focus = root.activeElement;
    if (focus) focus.blur();
    host.className = '';
    card.classList.remove('in');
    message.textContent = '';
    hovered = false;
    dispatch('close', {reason});
    current = 0;
    timer = setTimeout(() => {
      state = IDLE;
      release();
      next();
    }, cooldown);
    if (reason == 'dismissed') {
      tell({type: 'closed', data: {}});
      silence();
    }
    if (document.hidden || !alive) release();
    update();
  }

  // silence keeps what closing means: for this card, this session, a day or ever.
  function silence() {
    if (dismiss == 'card') return;
    if (dismiss == 'session') remember('sessionStorage', {closed: 1});
    else remember('localStorage', {until: dismiss == 'day' ? Date.now() + DAY : 8.64e15});
    update();
  }

  // ---- Connection: one stream for all tabs of a browser. The tab that has the lock reads it and tells the others.

  const {locks} = navigator;
  let channel;
  let leading;
  let waiting;                      // ends our leadership, or our waiting for it
  let source;
  let lastId = '';
  let wish = recent;                // newest events asked of a stream without a last id
  let due;                          // when the stream is given up, or tried again
  let lookAt = Infinity;            // when /recent is asked
  let tries = 0;
  let ticked = started;
  let hiddenAt = document.hidden ? started : 0;
  let alive = true;
  let styled, cached, refused;

  const wanted = () => alive && styled && !cached && !refused && !isDismissed() && !isCapped() &&
    (onPhones || !narrow.matches) &&
    (!document.hidden || locks && Date.now() - hiddenAt < ABSENCE && waiting);

  // update starts or stops listening, after anything that wanted() looks at.
  function update() {
    if (!wanted()) {
      waiting?.abort();
      waiting = leading = lost();
    } else if (!waiting) {
      waiting = new AbortController();
      const {signal} = waiting;
      const lead = () => signal.aborted || new Promise(done => {
        signal.onabort = done;
        leading = true;
        open();
      });
      if (!locks) return lead();
      locks.request(KEY, {ifAvailable: true}, lock => {
        if (lock) return lead();
        locks.request(KEY, {signal}, lead).catch(() => {});
        tell({type: 'hello'});
        if (wish) look();
      }).catch(() => {});
    }
  }

  function open() {
    due = Date.now() + OPENING;
    if (lookAt == Infinity) lookAt = due;
    source = new EventSource(beside('../events?') +
      new URLSearchParams({site, recent: wish, last_event_id: lastId}));
    for (const type of ['ready', 'signup', 'retract', 'busy']) source.addEventListener(type, hear);
    source.onerror = () => {
      // CLOSED is for ever; else the browser tries again by itself, and is left to it once.
      if (source.readyState == 2 || tries++) return lost();
      due = Date.now() + RETRY;
      if (lookAt == Infinity) lookAt = due;
    };
  }

  // lost gives the stream up; the next try comes after a full-jitter back-off.
  function lost() {
    source?.close();
    source = 0;
    due = Date.now() + Math.random() * Math.min(MINUTE, SECOND * 2 ** tries++);
  }

  function hear({type, data, lastEventId}) {
    tries = 0;
    due = Date.now() + SILENCE * (.8 + Math.random() * .4);
    lookAt = Infinity;
    lastId = lastEventId;
    data = {id: lastId, ...JSON.parse(data)};
    take(type, data);
    tell({type, data});
  }

  // take handles a frame of the stream, or a word from another tab.
  function take(type, data) {
    if (type == 'ready') {
      setClock(Date.parse(data.time) - Date.now());
      if (data.replay == 'gap') since = Math.max(since, newest);   // all that is kept follows: not once more
    }
    if (type == 'signup') enqueue(data);
    if (type == 'seen' || type == 'retract') drop(data.id);
    if (type == 'retract' && current && current.id == data.id) close('retracted');
    if (type == 'closed') silence();
    if (type == 'hello' && leading) tell({});
  }

  const tell = message => channel?.postMessage({...message, leading, skew, lastId});

  // look asks for the newest events where a stream is held back, or read by another tab.
  async function look() {
    try {
      const first = since == null;
      const response = await fetch(beside('../recent?') + new URLSearchParams({site, limit: first ? wish || 1 : BACKLOG}));
      const told = Date.parse(response.headers.get('date'));
      if (told) skew = told - Date.now();
      const {events, last_event_id} = await response.json();
      lastId ||= last_event_id;
      events.reverse().forEach(enqueue);
      if (first) since = newest;
    } catch {}
  }

  // tick, once a second, does what is due.
  function tick() {
    const now = Date.now();
    if (now - ticked > ASLEEP) due = 0;
    ticked = now;
    update();
    if (leading && now > due) source ? lost() : open();
    if (leading && now > lookAt) {
      lookAt = now + LOOK_EVERY;
      look();
    }
    if (current) draw();
  }

  // ---- Element: where the page meets all that

  const listening = new AbortController();
  const observer = new MutationObserver(() => mayStart() && begin());
  let ticking;

  function attach() {
    if (!alive || host.isConnected) return;
    if (document.body) document.body.append(host);
    else setTimeout(attach, 50);
  }

  function on(target, type, listener) {
    target.addEventListener(type, listener, {signal: listening.signal});
  }

  function tune() {
    channel = window.BroadcastChannel && new BroadcastChannel(KEY);
    if (channel) {
      channel.onmessage = ({data}) => {
        if (data.leading) {
          setClock(data.skew);
          lastId = data.lastId;
        }
        take(data.type, data.data);
      };
    }
  }

  function visibility() {
    if (document.hidden) {
      hiddenAt = Date.now();
      close('elapsed');
    } else {
      if (hiddenAt && Date.now() - hiddenAt > ABSENCE) {
        backlog = [];
        lastId = '';
        wish = CATCH_UP;
        past = 0;
      }
      hiddenAt = 0;
    }
    update();
    next();
  }

  function begin() {
    if (ticking || !alive) return;
    ticking = setInterval(tick, SECOND);
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.href = beside('proof.css');
    link.onload = () => {
      styled = true;
      card.hidden = false;
      update();
      next();
    };
    root.prepend(link);
    tune();
    on(document, 'visibilitychange', visibility);
    on(window, 'pagehide', () => {
      cached = true;
      channel?.close();
      update();
    });
    on(window, 'pageshow', () => {
      if (cached) {
        cached = false;
        tune();
        update();
      }
    });
    on(window, 'online', () => due = 0);
    on(narrow, 'change', update);
    on(document, 'focusin', dodge);
    on(document, 'keydown', ({key}) => {
      if (key == 'Escape') close('dismissed');
    });
    on(document, 'securitypolicyviolation', ({blockedURI, effectiveDirective}) => {
      refused ||= effectiveDirective == 'connect-src' && blockedURI.startsWith(beside('..'));
      update();
    });
  }

  attach();
  observer.observe(tag, {attributeFilter: ['data-consent']});
  if (mayStart()) begin();
})();
