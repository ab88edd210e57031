/*
 * proofstream: small cards that say who has just signed up.
 *
 *   <script async src="https://proof.example.com/assets/proof.js"></script>
 *
 * is all a page needs; attributes on that tag adjust it. The rooms of this file, top to bottom:
 * settings, clock, memory, element, card, queue, connection, start. Whatever fails, fails quietly:
 * this script is never why a page breaks. It is served minified and compressed.
 */
(() => {
  const SECOND = 1000;
  const MINUTE = 60 * SECOND;       // a tab that was hidden or asleep for longer starts with a fresh cursor
  const SESSION = 30 * MINUTE;
  const CLOSED = 1e9;               // cards in a session: as many as closing it stands for
  const DAY = 1440 * MINUTE;        // a card seen is not shown again for so long

  const SLIDE = 1250;               // way in or out; less where data-duration is short
  const JUST = 5 * MINUTE;          // what is older did not "just" happen
  const SILENCE = 5 * MINUTE;       // without any event a stream may be half open; spread by a fifth
  const OPENING = 20 * SECOND;      // for the first frame of a stream; then GET /recent helps out ...
  const LOOK_EVERY = 30 * SECOND;   // ... this often
  const LEADS_EVERY = 5 * SECOND;   // a leader tells the other tabs that it is alive
  const LEADER_LOST = 20 * SECOND;  // without a word from the leader, a visible tab takes its place
  const RETRY = 50 * SECOND;        // for the browser's own attempt: the longest `retry`, and an opening
  const BACKLOG = 10;               // events that may wait, the newest
  const CATCH_UP = 3;               // those asked for after an absence
  const REMEMBERED = 200;           // ids handled by this page, ids seen in this browser
  const SWIPE = 40;                 // pixels
  const LOW = 240;                  // pixels of height that a sentence needs; in lower windows cards wait

  // Our tag; in a bundle of several scripts the current one is not it.
  // The one line on the console says what to change.
  let said;
  const say = text => said ||= (console.warn('proofstream: ' + text), true);

  const tag = [document.currentScript, ...document.scripts].find(script => /\/proof(\.\w+)?\.js(\?|$)/.test(script?.src));
  if (customElements.get('proof-popup')) return;
  if (!tag) return say('take proof.js out of the bundle');

  // ---- Settings: the only lines that read the tag. What cannot be read counts as absent.

  const query = new URL(tag.src).searchParams;   // for tag managers that drop attributes
  const attribute = name => (tag.getAttribute('data-' + name) ?? query.get(name) ?? '').trim();
  // read returns an attribute that fits, else what holds without it.
  const read = (name, fits, absent, takes) => {
    const value = attribute(name);
    if (fits(value)) return value;
    if (value) say(`data-${name}="${value}" must be ${takes}`);
    return absent;
  };
  const number = (name, absent) => +read(name, value => /^\d{1,9}$/.test(value), absent, 'a number');
  const choice = (name, ...words) => read(name, value => words.includes(value), words[0], words.join(' or '));

  const site = attribute('site') || 'default';
  const position = choice('position', 'bottom-right', 'bottom-left', 'top-right', 'top-left');
  const duration = number('duration', 0) || 3500;
  const cooldown = number('cooldown', 2000);
  const delay = number('delay', 0);
  const maxPerPage = number('max-per-page', 0) || Infinity;
  const maxPerSession = number('max-per-session', 0) || CLOSED;
  const recent = number('recent', 0);
  const dismiss = choice('dismiss', 'session', 'card', 'day', 'forever');
  const onPhones = choice('mobile', 'on', 'off') == 'on';
  const mayStore = choice('storage', 'on', 'off') == 'on';
  const mayStart = () => attribute('consent') != 'wait';

  // The first of the tag's and the page's languages that is one.
  const language = () => [attribute('lang'), document.documentElement.lang].find(code => {
    try {
      return new Intl.Locale(code);
    } catch {}
  }) || '';

  // The sentence for a language, from its most specific code to none: pt-br, pt, "".
  const template = (code, past) => {
    const name = past ? 'template-past' : 'template';
    return code ? attribute(name + '-' + code) || template(code.replace(/-?[^-]*$/, ''), past) :
      attribute(name) || (past ? '{user_name} signed up with {offer_name}' : '{user_name} just signed up with {offer_name}!');
  };

  // Whether POST /signup would accept an address: https: or a path; printable ASCII, no user info.
  const isSafe = address =>
    /^(?=[!#-;=?-[\]-~]{1,2048}$)(https:\/\/[\w.:[\]-]+([/?#]|$)|\/(?!\/|%2f|%5c|%[01]))/i.test(address);
  const assetURL = path => new URL(path, tag.src).href;
  const ofPage = address => address[0] == '/' ? location.origin + address : address;   // whatever its <base>

  // ---- Clock: ages are told by the service's clock, as the visitor's may be wrong.

  const started = Date.now();
  let skew = 0;                     // the service's clock less ours
  let since;                        // what came later, by the service's clock, is live; not known at first

  const setClock = difference => {
    skew = difference || skew;      // not a number where a proxy changed it
    since ??= started + skew;
  };
  const timeOf = event => Date.parse(event.at);
  const age = event => Math.max(0, Date.now() + skew - timeOf(event));

  const inWords = (age, code) => {
    const minutes = Math.floor(age / MINUTE);
    const [size, unit] = minutes < 1 ? [1, 'second'] : minutes < 60 ? [1, 'minute'] : minutes < 1440 ? [60, 'hour'] : [1440, 'day'];
    return new Intl.RelativeTimeFormat(code || [], {numeric: minutes ? 'always' : 'auto'})
      .format(-Math.floor(minutes / size), unit);
  };

  // ---- Memory: one record per service and site; where storage is off, refused or full, in here.

  const KEY = 'proofstream:' + site + assetURL('..');   // two services may share an origin
  let unstored;

  const recall = () => {
    let stored;
    try {
      stored = mayStore && JSON.parse(localStorage[KEY]);
    } catch {}
    return {...stored, ...unstored};
  };

  const remember = changes => {
    unstored = {...recall(), ...changes};
    try {
      if (mayStore) {
        localStorage[KEY] = JSON.stringify(unstored);
        unstored = 0;
      }
    } catch {}
  };

  // A session ends when no page of the site has been open for half an hour; meanwhile each page keeps it.
  const session = () => {
    const {session} = recall();
    return session?.at > Date.now() - SESSION ? session : {};
  };
  const keepSession = changes => remember({session: {...session(), ...changes, at: Date.now()}});

  // ---- Element

  class ProofPopup extends HTMLElement {
    pause() {
      paused = true;
      proceed();
    }

    resume() {
      paused = false;
      proceed();
      update();
    }

    consent() {
      begin();
    }

    destroy() {
      alive = false;
      close('elapsed');
      update();
      release?.();
      clearTimeout(timer);
      clearInterval(ticking);
      observer.disconnect();
      listening.abort();
      host.remove();
    }

    // A page that rewrites its own HTML (body.innerHTML += ...) makes an empty copy of the host, which goes ...
    connectedCallback() {
      if (this != host) this.remove();
    }

    // ... and removes the host, which is added again with everything that waits.
    disconnectedCallback() {
      if (this == host) {
        card.hidden = true;
        setTimeout(attach);
      }
    }
  }

  let host;                         // unset while the class is defined: an element in the page's HTML is no host
  customElements.define('proof-popup', ProofPopup);
  host = document.createElement('proof-popup');
  host.id = 'proof-popup';
  host.style.position = 'fixed';    // out of the flow before the stylesheet is there

  const attach = () => {
    if (alive && !host.isConnected) document.body.append(host);
  };

  // ---- Card

  const root = host.attachShadow({mode: 'open'});
  const add = (parent, name, properties) => {
    const element = Object.assign(document.createElement(name), properties);
    parent.append(element);
    return element;
  };
  const card = add(root, 'aside', {part: 'card', ariaLabel: 'Signups', hidden: true});   // until it has its style
  const image = add(card, 'img', {part: 'image', alt: '',
    onload: () => image.style.background = '#fff', onerror: () => image.removeAttribute('src')});
  const message = add(card, 'p', {part: 'message', dir: 'auto', role: 'status'});   // polite, there before the first message
  const time = add(card, 'time', {part: 'time'});
  add(card, 'button', {part: 'close', ariaLabel: 'Close', textContent: '×', onclick: () => close('dismissed')});

  let sentence;                     // the template of what the card says

  // draw brings the card up to date. The live region is touched only when the sentence changes.
  const draw = () => {
    const code = language();
    card.lang = code;
    card.dir = code && (/Arab|Hebr|Thaa/.test(new Intl.Locale(code).maximize()) ? 'rtl' : 'ltr');
    time.textContent = inWords(age(current), code);
    if (sentence == (sentence = template(code, age(current) > JUST))) return;
    message.textContent = '';
    const words = !isSafe(current.url) ? message :
      add(message, 'a', {href: ofPage(current.url), rel: 'noopener', onclick: () => dispatch('click')});
    sentence.replace(current.place ? '' : /{place}/g, '').replace(/[ \n]+/g, ' ').trim()
      .split(/{(user_name|offer_name|place)}/).forEach((text, i) => {
        if (i % 2) add(words, 'bdi', {textContent: current[text], translate: false});
        else words.append(text);
      });
  };

  const dispatch = (name, more) => host.dispatchEvent(new CustomEvent('proof:' + name,
    {bubbles: true, composed: true, detail: {...current, ...more}}));

  // What has the focus is never wholly under the card (WCAG 2.4.11): the card takes the other edge.
  const dodge = () => {
    const focus = document.activeElement.getBoundingClientRect();
    if (focus.left >= card.offsetLeft && focus.right <= card.offsetLeft + card.offsetWidth &&
        focus.top >= card.offsetTop && focus.bottom <= card.offsetTop + card.offsetHeight) card.classList.toggle('top');
  };

  card.onpointerenter = ({pointerType}) => {
    hovered = pointerType != 'touch';
    proceed();
  };
  card.onpointerleave = () => {
    hovered = false;
    proceed();
  };

  // The card follows one finger sideways, and a swipe closes it. Up and down, and two fingers, are the page's (touch-action).
  let finger;
  card.ontouchstart = ({touches}) => finger = touches.length == 1 && touches[0];
  card.ontouchmove = card.ontouchend = card.ontouchcancel = ({type, changedTouches: [touch]}) => {
    const x = finger ? touch.clientX - finger.clientX : 0;
    card.style.translate = type == 'touchmove' ? x + 'px' : '';
    if (type == 'touchend' && Math.abs(x) > SWIPE) close('dismissed');
  };

  // ---- Queue: idle -> showing -> cooling -> idle

  const IDLE = 0, SHOWING = 1, COOLING = 2;
  const narrow = matchMedia('(max-width:767px)');
  const slide = Math.min(SLIDE, duration / 2.5);
  host.style.setProperty('--slide', slide + 'ms');
  let state = IDLE;
  let timer;                        // of the state we are in
  let backlog = [];                 // events that wait, oldest first
  let handled = [];                 // ids that need no second look
  let newest = 0;                   // time of the newest of them
  let past = recent;                // how many events from before the page may still show
  let current;                      // the event that shows
  let shown = 0;
  let refused;                      // the page's policy refuses a picture
  let off;                          // when the card goes; 0 while it is held ...
  let left;                         // ... and goes so long afterwards
  let paused, hovered;
  let asking, release;              // our turn among all tabs: asked for, given back

  // enqueue takes an event that the stream, /recent or another tab tells of, perhaps not for the first time.
  const enqueue = event => {
    const at = timeOf(event);
    if (!at || handled.includes(event.id)) return;
    drop(event);
    newest = Math.max(newest, at);
    if (at > since || past-- > 0) backlog = [...backlog, event].sort((a, b) => timeOf(a) - timeOf(b)).slice(-BACKLOG);
    next();
  };

  const drop = ({id}) => {
    handled = [...handled, id].slice(-REMEMBERED);
    backlog = backlog.filter(event => event.id != id);
  };

  // Whether a card would be behind a modal dialog or beside an element in fullscreen.
  const covered = () => document.querySelector(':modal,:fullscreen');

  const mayShow = () => !state && !paused && !document.hidden && backlog[0] && wanted() &&
    !covered() && innerHeight >= LOW && getComputedStyle(host).display != 'none';

  // next shows what waits when it may: one card at a time, in one of all visible tabs.
  const next = async () => {
    if (!mayShow() || asking) return;
    clearTimeout(timer);
    const early = started + delay - Date.now();
    if (early > 0) return timer = setTimeout(next, early);
    asking = true;
    await inTurn(' card', () => new Promise(done => {
      release = done;
      if (!mayShow() || !show()) done();
    }));
    asking = false;
    next();
  };

  // show shows the first live event, else the first, unless this browser has seen it. Either way it leaves the queue.
  const show = () => {
    const event = backlog.find(event => timeOf(event) > since) || backlog[0];
    drop(event);
    const seen = [].concat(recall().seen).filter(entry => entry?.[1] > Date.now() - DAY);
    if (seen.some(entry => entry[0] == event.id)) return;
    current = event;
    tell('seen', current);
    remember({seen: [...seen, [current.id, Date.now()]].slice(-REMEMBERED)});
    keepSession({count: (session().count | 0) + 1});
    shown++;
    state = SHOWING;
    sentence = off = 0;
    left = duration;
    card.className = narrow.matches ? '' : position.replace('-', ' ');
    image.style.background = '';
    if (!refused) image.src = isSafe(current.img_path) ? ofPage(current.img_path) : assetURL('default.svg');
    draw();
    // A body with a transform or the like carries its fixed children along.
    if (Math.abs(host.getBoundingClientRect().bottom - innerHeight) > 40) document.documentElement.append(host);
    dodge();                        // forces a layout, so that the slide begins outside the window
    host.className = 'visible';
    dispatch('show');
    proceed();
    return true;
  };

  // proceed takes the card to where it should be by now; also after anything that may hold it or let it go.
  const proceed = () => {
    if (state != SHOWING) return;
    clearTimeout(timer);
    const now = Date.now();
    if (paused || hovered || root.activeElement) {
      if (off) left = Math.max(off - now, 2 * slide);
      off = 0;
    } else {
      off ||= now + left;
      if (now >= off) return close('elapsed');
      timer = setTimeout(proceed, (now < off - slide ? off - slide : off) - now);
    }
    card.classList.toggle('in', !off || now < off - slide);
  };

  const close = reason => {
    if (state != SHOWING) return;
    state = COOLING;
    clearTimeout(timer);
    timer = setTimeout(() => {
      state = IDLE;
      release();
      next();
    }, cooldown);
    root.activeElement?.blur();
    hovered = false;
    host.className = card.className = message.textContent = '';
    image.removeAttribute('src');   // it must not stand beside the next name
    dispatch('close', {reason});
    current = 0;
    if (reason == 'dismissed') {
      tell('closed');
      silence();
    }
  };

  // silence keeps what closing means: for this card, this session, a day or ever.
  const silence = () => {
    if (dismiss == 'session') keepSession({count: CLOSED});
    else if (dismiss != 'card') remember({until: dismiss == 'day' ? Date.now() + DAY : 9e15});
  };

  // ---- Connection: the tab that has the lock reads the stream, for all tabs of the browser.

  let {locks} = navigator;          // 0 where they are of no use
  let channel;                      // between the tabs
  let waiting;                      // gives up leadership, or the wait for it
  let leading;
  let leaderHeard;                  // when the leading tab last said something
  let source;
  let lastId = '';
  let recentWanted = recent;                // newest events to ask for as we begin to listen
  let due;                          // when the stream is given up, or tried again
  let lookAt = 0;                   // when /recent is asked; 0 is not at all
  let tries = 0;                    // of our own, since the last frame
  let denied;                       // the service does not know the site, or the page's origin may not read it
  let leftAlone;                    // the browser's one try of its own is under way
  let ticked = started;
  let sessionKept = 0;
  let hiddenAt;
  let pageReady;                      // the page has loaded, and a second has gone by
  let alive = true;                 // not destroyed, not in the back/forward cache

  const wanted = () => alive && pageReady && !card.hidden && innerWidth && innerHeight && (onPhones || !narrow.matches) &&
    shown < maxPerPage && !(session().count >= maxPerSession) && !(recall().until > Date.now()) &&
    (!document.hidden || locks && waiting && !(Date.now() - hiddenAt > MINUTE));

  // update starts or stops listening and showing: after anything that wanted() looks at, and each second.
  const update = () => {
    if (wanted()) {
      if (!waiting) start();
    } else {
      stop();
    }
    next();
  };

  const stop = () => {
    waiting?.abort();
    source?.close();
    waiting = source = null;
    leading = tries = leftAlone = 0;
  };

  // inTurn waits for our turn among all tabs, or takes it from a tab that does not answer. Where the browser has no locks, or
  // refuses them, each tab takes it at once.
  const inTurn = (name, turn, signal, steal) =>
    (async () => locks.request(KEY + name, steal ? {steal} : {signal}, turn))().catch(({name}) => {
      if (name == 'AbortError') return;   // given up, or taken from us
      locks = 0;
      return turn();
    }).catch(() => {});

  const start = async steal => {
    const {signal} = waiting = new AbortController();
    leaderHeard = Date.now();
    tell('hello');
    if (recentWanted) look();
    await inTurn('', () => signal.aborted || new Promise(done => {
      signal.onabort = done;
      leading = true;
      open();
    }), signal, steal);
    if (!signal.aborted) stop();    // another tab leads now: this one has been frozen
  };

  const expect = delay => {
    due = Date.now() + delay;
    lookAt ||= Date.now() + OPENING;
  };

  const open = () => {
    expect(OPENING);
    source = new EventSource(assetURL('../events?') + new URLSearchParams({site, last_event_id: lastId, recent: recentWanted}));
    for (const type in take) on(source, type, hear);
    source.onerror = () => {
      // After CLOSED the browser never reconnects; otherwise it does by itself, and is given one try.
      if (source.readyState == 2 || leftAlone) lost();
      else expect(RETRY), leftAlone = true;
    };
  };

  // lost closes the stream; the next try follows after a full-jitter back-off.
  const lost = () => {
    source.close();
    source = null;
    expect(denied ? MINUTE * (1 + Math.random()) : Math.random() * Math.min(MINUTE, SECOND * 2 ** tries++));
    if (tries == 1 && !lastId) look();   // which can tell why
  };

  const hear = ({type, data, lastEventId}) => {
    tries = leftAlone = 0;
    expect(SILENCE * (.8 + Math.random() * .4));
    lookAt = 0;
    lastId = lastEventId || lastId;   // `busy` on a new stream has none
    try {
      data = {id: lastId, ...JSON.parse(data)};
      take[type](data);
      tell(type, data);
    } catch {}                        // not JSON: a proxy changed it
  };

  // What becomes of a frame of the stream, or of a word from another tab.
  const take = {
    ready({time, replay}) {
      setClock(Date.parse(time) - Date.now());
      if (replay == 'gap') since = Math.max(since, newest);   // all that is kept follows: not once more
    },
    signup: enqueue,
    seen: drop,
    retract(event) {
      drop(event);
      if (current?.id == event.id) close('retracted');
    },
    closed: silence,
    hello() {
      if (leading) tell();
    },
    busy() {},
  };

  const tell = (type, data) => channel?.postMessage({type, data, leading, skew: since && skew, lastId});   // no time before it is known

  // look asks for the newest events: as we begin to listen, and where a stream is held back.
  const look = async () => {
    try {
      const limit = recentWanted || (since == null ? 1 : BACKLOG);
      const response = await fetch(assetURL('../recent?') + new URLSearchParams({site, limit}),
        {signal: AbortSignal.timeout?.(OPENING)});
      const {events, last_event_id, detail} = await response.json();
      denied = /403|404/.test(response.status);
      if (denied) {
        expect(MINUTE);
        return say(`${detail} (data-site: ${site})`);
      }
      skew = Date.parse(response.headers.get('date')) - Date.now() || skew;
      lastId ||= last_event_id;
      events.reverse().forEach(enqueue);
      since ??= newest;             // what was there at the first look is past
      recentWanted = 0;
    } catch {}
  };

  // tick, once a second, does what is due.
  const tick = () => {
    const now = Date.now();
    if (now - ticked > MINUTE) due = 0;
    ticked = now;
    update();
    if (leading && now > due) source ? lost() : open();
    if (leading && now - leaderHeard > LEADS_EVERY) {
      leaderHeard = now;
      tell();
    }
    if (waiting && !leading && channel && !document.hidden && now - leaderHeard > LEADER_LOST) {
      stop();
      start(true);
    }
    if (now - sessionKept > MINUTE) {
      sessionKept = now;
      keepSession();
    }
    if (leading && lookAt && now > lookAt) {
      lookAt = now + LOOK_EVERY;
      look();
    }
    if (current) {
      draw();
      proceed();                    // the focus may have gone
    }
  };

  // ---- Start, and what the page around us does

  const listening = new AbortController();
  const on = (target, type, listener) => target.addEventListener(type, listener, {signal: listening.signal});
  const observer = new MutationObserver(() => mayStart() && begin());
  let ticking;

  const openChannel = () => {
    if (!window.BroadcastChannel) return;
    channel = new BroadcastChannel(KEY);
    channel.onmessage = ({data}) => {
      if (data.leading) {
        leaderHeard = Date.now();
        if (data.skew != null) setClock(data.skew);
        lastId = data.lastId;
      }
      take[data.type]?.(data.data);
    };
  };

  const begin = () => {
    if (ticking || !alive) return;
    ticking = setInterval(tick, SECOND);
    let again = SECOND;             // twice as long, each time it fails
    const style = add(root, 'link', {rel: 'stylesheet', nonce: tag.nonce, href: assetURL('proof.css'), onload: () => {
      card.hidden = false;
      update();
    }, onerror: () => setTimeout(() => root.append(style), again *= 2)});
    openChannel();
    on(document, 'visibilitychange', () => {
      if (document.hidden) {
        hiddenAt = Date.now();
        close('elapsed');
        release?.();
      } else if (Date.now() - hiddenAt < MINUTE) {
        backlog = backlog.slice(-CATCH_UP);
      } else {
        handled = handled.filter(id => !backlog.some(event => event.id == id));
        backlog = [];
        lastId = '';
        recentWanted = CATCH_UP;
        past = 0;
        stop();
      }
      update();
    });
    on(window, 'pagehide', () => {
      alive = false;
      channel?.close();
      update();
    });
    on(window, 'pageshow', () => {
      if (!alive) openChannel();
      alive = true;
      update();
    });
    on(window, 'online', () => {
      due = 0;
      tick();
    });
    on(document, 'focusin', dodge);
    on(window, 'keydown', event => {
      if (event.key == 'Escape' && !event.defaultPrevented && !event.isComposing && !covered() &&
          !event.composedPath()[0].closest?.('dialog,[popover],[type=search]')) close('dismissed');
    });
    // What the page's policy refuses is not asked for again, which would only fill its console.
    on(document, 'securitypolicyviolation', ({blockedURI, disposition}) => {
      if (disposition != 'enforce') return;
      if (['../events', '../recent', 'proof.css'].some(path => blockedURI.startsWith(assetURL(path)))) host.destroy();
      refused ||= blockedURI == image.src;
    });
  };

  // The page comes first: nothing of ours stands in it, and no stream opens, before it has loaded and a second has gone by.
  const loaded = () => {
    attach();
    setTimeout(() => {
      pageReady = true;
      update();
    }, SECOND);
  };
  if (document.readyState == 'complete') loaded();
  else on(window, 'load', loaded);
  observer.observe(tag, {attributeFilter: ['data-consent']});
  if (mayStart()) begin();
})();
