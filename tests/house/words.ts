/** Words that must not stand in the tree: they tie it to a machine or to a place where packages come from. */

const FORBIDDEN: Readonly<Record<string, RegExp>> = {
  "the host of a package registry":
    /\bregistry\.[a-z0-9-]+\.[a-z]{2,}\b|\b(?:npmjs|npmmirror)\.(?:com|org)\b|\bjsr\.io\b|\bpypi\.org\b|\bcrates\.io\b|\bdeb\.debian\.org\b/i,
  "a path of one machine": /(?<![\w.~-])\/(?:work|root|home\/[a-z]\w*|Users\/\w+)\//,
};

/** The forbidden words of a text, as sentences. */
export function forbidden(file: string, source: string): string[] {
  return source.split("\n").flatMap((line, n) =>
    Object.entries(FORBIDDEN).flatMap(([what, pattern]) => {
      const found = pattern.exec(line);
      return found ? [`${file}:${n + 1} says "${found[0]}": ${what} has no place here`] : [];
    })
  );
}
