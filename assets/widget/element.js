// The element that holds the card.
export let host;                    // unset while its class is defined: an element in the page's HTML is no host

// emit tells the page of an event, with its data and id.
export const emit = (name, event, more) => host.dispatchEvent(new CustomEvent('proof:' + name,
  {bubbles: true, composed: true, detail: {...event, ...more}}));

// createHost defines the custom element and creates the host. Its methods are those given; removed() follows when it has been taken out
// of the page.
export const createHost = (methods, removed) => {
  class ProofPopup extends HTMLElement {
    // A page that rewrites its own HTML (body.innerHTML += ...) makes an empty copy of the host, which goes ...
    connectedCallback() {
      if (this != host) this.remove();
    }

    // ... and removes the host, which is added again with everything that waits.
    disconnectedCallback() {
      if (this == host) removed();
    }
  }

  Object.assign(ProofPopup.prototype, methods);
  customElements.define('proof-popup', ProofPopup);
  host = document.createElement('proof-popup');
  host.id = 'proof-popup';
  host.style.position = 'fixed';    // out of the flow before the stylesheet is there
};
