/** Two small charts as SVG text: bars on a linear scale and lines on linear or log scales. No library, no script. */

export interface BarChart {
  readonly title: string;
  readonly unit: string;
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
  readonly logY?: boolean;
  readonly lines: readonly {
    readonly name: string;
    readonly points: readonly (readonly [x: number, y: number])[];
  }[];
}

const palette = ['#2563eb', '#d97706', '#059669', '#9333ea', '#dc2626', '#475569'];
const barHeight = 18;
const labelWidth = 210;
const plotWidth = 520;
const font = 'font-family="system-ui,sans-serif" font-size="12"';

export function barChart(chart: BarChart): string {
  const names = [...new Set(chart.groups.flatMap((group) => group.bars.map((bar) => bar.name)))];
  const most = Math.max(...chart.groups.flatMap((group) => group.bars.map((bar) => bar.value)), 0);
  const body: string[] = [];
  let y = 44;
  for (const group of chart.groups) {
    body.push(`<text x="12" y="${y + 4}" font-weight="600">${escaped(group.name)}</text>`);
    y += 14;
    for (const bar of group.bars) {
      const width = most === 0 ? 0 : (bar.value / most) * plotWidth;
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
  return frame(labelWidth + plotWidth + 90, y + 4, `${chart.title} (${chart.unit})`, body);
}

export function lineChart(chart: LineChart): string {
  const [left, top, width, height] = [70, 44, 560, 320];
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
  for (const tick of x.ticks) {
    body.push(
      `<text x="${fixed(x.place(tick))}" y="${top + height + 18}" text-anchor="middle">${short(tick)}</text>`,
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

function axis(values: readonly number[], from: number, to: number, log: boolean): Axis {
  const scale = (value: number): number => (log ? Math.log10(Math.max(value, 1e-9)) : value);
  const low = values.length === 0 ? 0 : scale(log ? Math.min(...values) : Math.min(0, ...values));
  const high = values.length === 0 ? 1 : scale(Math.max(...values));
  const span = high > low ? high - low : 1;
  const ticks = Array.from({ length: tickCount }, (_, index) => {
    const at = low + (span * index) / (tickCount - 1);
    return log ? 10 ** at : at;
  });
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
