// Types of the proofstream widget, for pages in TypeScript:
//
//   /// <reference path="./proof.d.ts" />
//   document.querySelector('proof-popup')?.pause();
//   document.addEventListener('proof:signup', ({detail}) => console.log(detail.user_name));

/** A signup as a backend reported it. All texts are to be set as text, never as HTML. */
interface ProofSignup {
  /** Names the signup for ever; `EPOCH-SEQ`. */
  id: string;
  /** `default`, an `https:` URL, or a path of the page. */
  img_path: string;
  /** At most 120 characters. */
  offer_name: string;
  /** At most 120 characters. */
  user_name: string;
  place?: string;
  /** Where a click leads: an `https:` URL or a path of the page. */
  url?: string;
  /** Such as `order`; left out for a signup. */
  kind?: string;
  /** Which of `user_name` and `offer_name` the backend left blank: they hold English words then. */
  blank?: ('user_name' | 'offer_name')[];
  /** When the service stored it (RFC 3339, UTC). */
  at: string;
}

/** What `show()` previews: no `id`, and a time only to preview the sentence for the past. */
type ProofPreview = Partial<Omit<ProofSignup, 'id'>>;

type ProofCloseReason = 'elapsed' | 'dismissed' | 'retracted';

/** The one element that the widget adds to the page. It has the class `visible` while a card shows. */
interface ProofPopup extends HTMLElement {
  /** Keeps the current card and the waiting ones until `resume()`. */
  pause(): void;
  resume(): void;
  /** Starts a widget whose tag has `data-consent="wait"`. */
  consent(): void;
  /** Shows a card marked "Test", on this page only. It is not counted and not remembered. */
  show(event: ProofPreview): void;
  /** Removes the widget, its stream and its listeners, for good. */
  destroy(): void;
}

interface HTMLElementTagNameMap {
  'proof-popup': ProofPopup;
}

/** Events of the widget, dispatched by the element; they bubble. Of a preview, `detail` has no `id`. */
interface GlobalEventHandlersEventMap {
  'proof:show': CustomEvent<ProofSignup>;
  'proof:close': CustomEvent<ProofSignup & {reason: ProofCloseReason}>;
  /** A click on a card with a `url`. */
  'proof:click': CustomEvent<ProofSignup>;
  /** A signup of the stream that the tag's filters admit, in every open tab, whether or not a card shows. */
  'proof:signup': CustomEvent<ProofSignup>;
  /** A signup was withdrawn; `detail` is its `id`. */
  'proof:retract': CustomEvent<{id: string}>;
}
