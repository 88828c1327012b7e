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

/** The same for paths: `*` and `?` stay within a segment, and a segment `**` is any number of them. */
export function pathMatches(pattern: string, path: string): boolean {
  const names = path.split("/");
  /** Which beginnings of the path the pattern's segments so far can be, by how many segments they have. */
  let reached = new Set([0]);
  for (const part of pattern.split("/")) {
    const next = new Set<number>();
    for (const count of reached) {
      if (part === "**") { for (let n = count; n <= names.length; n++) next.add(n); }
      else if (count < names.length && globMatches(part, names[count]!)) next.add(count + 1);
    }
    reached = next;
  }
  return reached.has(names.length);
}
