// isSafe reports whether POST /signup would accept an address: https: or a path; printable ASCII, no user info.
export const isSafe = address =>
  /^(?=[!#-;=?-[\]-~]{1,2048}$)(https:\/\/[\w.:[\]-]+([/?#]|$)|\/(?!\/|%2f|%5c|%[01]))/i.test(address);
