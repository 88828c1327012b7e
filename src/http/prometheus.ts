/** Numbers as Prometheus reads them: counters, gauges and histograms in its text format, version 0.0.4. */

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** One line's labels. Each label has few values: no ids, no paths. */
export type Labels = Readonly<Record<string, string>>;

export interface Family {
  /** The lines of the family, ended by a newline; nothing where it has no value. */
  text(): string;
}

export interface Counter extends Family {
  add(labels?: Labels, by?: number): void;
}

/** `start`: label sets that are told from the beginning, as 0. Without any, the one without labels. */
export function counter(name: string, help: string, start: readonly Labels[] = [{}]): Counter {
  const values = new Map<string, number>(start.map((labels) => [labelText(labels), 0]));
  return {
    add(labels = {}, by = 1) {
      const at = labelText(labels);
      values.set(at, (values.get(at) ?? 0) + by);
    },
    text: () => familyText(name, "counter", help, [...values].map(([at, n]) => line(name, at, n))),
  };
}

/** A value that is known where it is asked for; none where it is not known. */
export function gaugeText(
  name: string,
  help: string,
  values: readonly (readonly [Labels, number | undefined])[],
  kind: "gauge" | "counter" = "gauge",
): string {
  const lines = values.flatMap(([labels, n]) =>
    n === undefined ? [] : [line(name, labelText(labels), n)]
  );
  return familyText(name, kind, help, lines);
}

export interface Histogram extends Family {
  observe(value: number): void;
}

/** `bounds`: upper ends of the buckets, rising. */
export function histogram(name: string, help: string, bounds: readonly number[]): Histogram {
  /** How many fell into each bucket; the last is for what is above all bounds. */
  const counts = new Array<number>(bounds.length + 1).fill(0);
  let sum = 0;
  return {
    observe(value) {
      const at = bounds.findIndex((bound) => value <= bound);
      counts[at < 0 ? bounds.length : at]!++;
      sum += value;
    },
    text() {
      const lines: string[] = [];
      let total = 0;
      counts.forEach((count, i) => {
        total += count;
        const le = i < bounds.length ? numberText(bounds[i]!) : "+Inf";
        lines.push(line(`${name}_bucket`, `{le="${le}"}`, total));
      });
      lines.push(line(`${name}_sum`, "", sum), line(`${name}_count`, "", total));
      return familyText(name, "histogram", help, lines);
    },
  };
}

function familyText(name: string, kind: string, help: string, lines: readonly string[]): string {
  if (lines.length === 0) return "";
  const told = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return `# HELP ${name} ${told}\n# TYPE ${name} ${kind}\n${lines.join("")}`;
}

function line(name: string, labels: string, value: number): string {
  return `${name}${labels} ${numberText(value)}\n`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length ? `{${pairs.join(",")}}` : "";
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function numberText(n: number): string {
  if (Number.isNaN(n)) return "NaN";
  if (!Number.isFinite(n)) return n > 0 ? "+Inf" : "-Inf";
  return String(n);
}
