let said;

// say writes the widget's only line on the console: the first that it is given, which says what to change.
export const say = text => {
  if (!said) console.warn('proofstream: ' + text);
  said = true;
};
