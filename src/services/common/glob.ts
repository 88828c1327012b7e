/** Patterns of names: `*` is any text, `?` one character; all else is itself. */

/** Takes a time of at most pattern × name, whatever the pattern. */
export function globMatches(pattern: string, name: string): boolean {
  let p = 0, n = 0;
  /** Where the last `*` stood, and how far it reaches so far. */
  let star = -1, reach = 0;
  while (n < name.length) {
    if (pattern[p] === "*") {
      star = p++;
      reach = n;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === name[n])) {
      p++;
      n++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++reach;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

export function isPattern(text: string): boolean {
  return /[*?]/.test(text);
}
