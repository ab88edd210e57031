// fill returns what a template says of an event, in pieces: words of the template, and in arrays what was posted. What is
// missing is empty, and white space around it collapses.
export const fill = (template, event) =>
  template.replace(event.place ? '' : /{place}/g, '').replace(/[ \n]+/g, ' ').trim().split(/{(user_name|offer_name|place)}/)
    .map((text, i) => i % 2 ? [event[text]] : text);
