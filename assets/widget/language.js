// known returns a language tag as BCP 47 writes it (de_DE is read as de-DE), or "" for what is none.
export const known = tag => {
  try {
    return new Intl.Locale(tag.replace(/_/g, '-')).toString();
  } catch {
    return '';
  }
};

// chain returns the keys under which words for a language may stand, from the most specific: pt-br, pt.
export const chain = code => code ? [code.toLowerCase(), ...chain(code.replace(/-?[^-]*$/, ''))] : [];

// direction returns how a language is written: rtl or ltr. A table costs nothing, where Intl.Locale loads one for 30 ms.
export const direction = code => /^(ar|ckb|dv|fa|he|ps|sd|ug|ur|yi)\b|-(arab|hebr)\b/i.test(code) ? 'rtl' : 'ltr';
