/** Two small charts as SVG text: bars on a linear scale and lines on linear or log scales. No library, no script. */

export interface BarChart {
  readonly title: string;
  readonly unit: string;
  /** Lengths by the logarithm: for values far apart. */
  readonly log?: boolean;
  readonly groups: readonly {
    readonly name: string;
    readonly bars: readonly { readonly name: string; readonly value: number }[];
  }[];
}

export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly logX?: boolean;
  /** In place of round numbers. */
  readonly xTicks?: readonly (readonly [at: number, label: string])[];
  readonly logY?: boolean;
  readonly lines: readonly {
    readonly name: string;
    readonly points: readonly (readonly [x: number, y: number])[];
  }[];
}

const palette = [
  '#2563eb',
  '#d97706',
  '#059669',
  '#9333ea',
  '#dc2626',
  '#475569',
  '#0891b2',
  '#be185d',
  '#65a30d',
  '#92400e',
];
const barHeight = 18;
const labelWidth = 210;
const plotWidth = 520;
const font = 'font-family="system-ui,sans-serif" font-size="12"';

export function barChart(chart: BarChart): string {
  const names = [...new Set(chart.groups.flatMap((group) => group.bars.map((bar) => bar.name)))];
  const lengthOf = barScale(chart);
  const body: string[] = [];
  let y = 44;
  for (const group of chart.groups) {
    body.push(`<text x="12" y="${y + 4}" font-weight="600">${escaped(group.name)}</text>`);
    y += 14;
    for (const bar of group.bars) {
      const width = lengthOf(bar.value);
      const colour = palette[names.indexOf(bar.name) % palette.length];
      body.push(
        `<text x="${labelWidth - 8}" y="${y + 13}" text-anchor="end">${escaped(bar.name)}</text>`,
        `<rect x="${labelWidth}" y="${y}" width="${fixed(width)}" height="${barHeight - 4}" fill="${colour}"/>`,
        `<text x="${fixed(labelWidth + width + 6)}" y="${y + 12}">${short(bar.value)}</text>`,
      );
      y += barHeight;
    }
    y += 16;
  }
  return frame(
    labelWidth + plotWidth + 90,
    y + 4,
    `${chart.title} (${chart.unit}${chart.log === true ? ', log scale' : ''})`,
    body,
  );
}

/** Length of a bar. On a log scale the shortest bar is a tenth below the smallest value. */
function barScale({ groups, log = false }: BarChart): (value: number) => number {
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => value));
  const most = Math.max(...values, 0);
  if (!log) return (value) => (most === 0 ? 0 : (value / most) * plotWidth);
  const least = Math.min(...values.filter((value) => value > 0), most) / 10 ** 0.1;
  const span = Math.log(most / least);
  return (value) => (value <= 0 || span === 0 ? 0 : (Math.log(value / least) / span) * plotWidth);
}

export function lineChart(chart: LineChart): string {
  const [left, top, width, height] = [70, 56, 560, 320];
  const points = chart.lines.flatMap((line) => line.points);
  const x = axis(
    points.map(([value]) => value),
    left,
    left + width,
    chart.logX === true,
  );
  const y = axis(
    points.map(([, value]) => value),
    top + height,
    top,
    chart.logY === true,
  );
  const body = [
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="none" stroke="#94a3b8"/>`,
    `<text x="${left + width / 2}" y="${top + height + 36}" text-anchor="middle">${escaped(chart.xLabel)}</text>`,
    `<text x="14" y="${top - 10}">${escaped(chart.yLabel)}</text>`,
  ];
  const xTicks = chart.xTicks ?? x.ticks.map((tick): [number, string] => [tick, short(tick)]);
  for (const [tick, label] of xTicks) {
    const at = fixed(x.place(tick));
    body.push(
      `<line x1="${at}" x2="${at}" y1="${top + height}" y2="${top + height + 4}" stroke="#94a3b8"/>`,
      `<text x="${at}" y="${top + height + 18}" text-anchor="middle">${escaped(label)}</text>`,
    );
  }
  for (const tick of y.ticks) {
    const at = fixed(y.place(tick));
    body.push(
      `<line x1="${left}" x2="${left + width}" y1="${at}" y2="${at}" stroke="#e2e8f0"/>`,
      `<text x="${left - 6}" y="${at}" dy="4" text-anchor="end">${short(tick)}</text>`,
    );
  }
  for (const [index, line] of chart.lines.entries()) {
    const colour = palette[index % palette.length];
    const path = line.points.map(([a, b]) => `${fixed(x.place(a))},${fixed(y.place(b))}`).join(' ');
    body.push(
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<text x="${left + width + 10}" y="${top + 14 + index * 18}" fill="${colour}">${escaped(line.name)}</text>`,
    );
  }
  return frame(left + width + 190, top + height + 50, chart.title, body);
}

interface Axis {
  readonly ticks: readonly number[];
  place(value: number): number;
}

const tickCount = 5;

/** From the smallest value, or 0, to the largest; with ticks at round numbers. */
function axis(values: readonly number[], from: number, to: number, log: boolean): Axis {
  return log ? logAxis(values, from, to) : linearAxis(values, from, to);
}

function linearAxis(values: readonly number[], from: number, to: number): Axis {
  const low = Math.min(0, ...values);
  const high = Math.max(low, ...values);
  const span = high > low ? high - low : 1;
  const step = roundStep(span / tickCount);
  const first = Math.ceil(low / step);
  const count = Math.floor((low + span) / step) - first + 1;
  const ticks = Array.from({ length: count }, (_, index) => (first + index) * step);
  return { ticks, place: (value) => from + ((value - low) / span) * (to - from) };
}

/** The next of 1, 2, 5, 10 … */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((digit) => digit * power >= least) ?? 10);
}

function logAxis(values: readonly number[], from: number, to: number): Axis {
  const scale = (value: number): number => Math.log10(Math.max(value, 1e-9));
  const low = values.length === 0 ? 0 : scale(Math.min(...values));
  const high = values.length === 0 ? 1 : scale(Math.max(...values));
  const span = high > low ? high - low : 1;
  const digits = span > 2 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(low); power <= low + span; power += 1) {
    for (const digit of digits) {
      const at = power + Math.log10(digit);
      if (at >= low - 1e-9 && at <= low + span + 1e-9) ticks.push(digit * 10 ** power);
    }
  }
  return { ticks, place: (value) => from + ((scale(value) - low) / span) * (to - from) };
}

function frame(width: number, height: number, title: string, body: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ${font}>`,
    '<rect width="100%" height="100%" fill="#ffffff"/>',
    `<text x="12" y="22" font-size="15" font-weight="600">${escaped(title)}</text>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function short(value: number): string {
  if (value === 0) return '0';
  return value >= 1000
    ? Math.round(value).toLocaleString('en-US')
    : String(Number(value.toPrecision(3)));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
