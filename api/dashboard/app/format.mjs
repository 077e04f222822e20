// Figures as people read them. What is not known is shown as such and never as 0: the API says
// null, and a 0 in its place would be a measurement nobody made.

/** Stands where nothing is known. */
export const ABSENT = "–";

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** Whether a value is one: the API has null for what is not known. */
export const isKnown = (value) => typeof value === "number" && Number.isFinite(value);

/** Three significant digits, so that every figure of a column is of about one width. */
function digits(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 99.95) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1);
  return size >= 0.005 ? value.toFixed(2) : "<0.01";
}

/** CPU as Kubernetes writes it: millicores below one core, cores from there on. */
export function cpu(millicores) {
  if (!isKnown(millicores)) return ABSENT;
  if (millicores < 999.5) {
    // Thousandths of a core matter as whole numbers; idle things use less than one of them.
    return `${millicores >= 9.95 ? millicores.toFixed(0) : shortest(millicores, 1)}m`;
  }
  const cores = digits(millicores / 1000);
  return `${cores} ${cores === "1.00" ? "core" : "cores"}`;
}

/** Bytes in binary units, as Kubernetes counts memory. */
export function bytes(value) {
  if (!isKnown(value)) return ABSENT;
  let [scaled, unit] = [value, 0];
  // From 1000 on, four digits would be needed: 0.98 GiB is shorter than 1000 MiB.
  while (Math.abs(scaled) >= 999.5 && unit < BINARY.length - 1) {
    [scaled, unit] = [scaled / 1024, unit + 1];
  }
  return `${unit === 0 ? scaled.toFixed(0) : digits(scaled)} ${BINARY[unit]}`;
}

/** Bytes per second. */
export const rate = (value) => (isKnown(value) ? `${bytes(value)}/s` : ABSENT);

/** Percent, of values from 0 to 100. */
export function percent(value) {
  if (!isKnown(value)) return ABSENT;
  return `${value >= 9.95 ? value.toFixed(0) : shortest(value, 1)}%`;
}

/** A count, in groups of three digits. */
export function count(value) {
  if (!isKnown(value)) return ABSENT;
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A number without a unit: a load average. */
export const number = (value) => (isKnown(value) ? digits(value) : ABSENT);

/** How much of `whole` is in use, in percent; null where either is not known. */
export const share = (used, whole) =>
  isKnown(used) && isKnown(whole) && whole > 0 ? (100 * used) / whole : null;

/** The sum of what is known; null where nothing is. */
export function sum(values) {
  const known = values.filter(isKnown);
  return known.length > 0 ? known.reduce((total, value) => total + value, 0) : null;
}

/** The time of day, where the reader is. */
export function clock(ms, withSeconds = true) {
  if (!isKnown(ms)) return ABSENT;
  const second = withSeconds ? { second: "2-digit" } : {};
  return new Date(ms).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    ...second,
  });
}

/** How long ago something was. */
export function ago(ms, now) {
  if (!isKnown(ms)) return ABSENT;
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  if (seconds < 100) return `${seconds} s ago`;
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}

/** `12 of them`, with a word that fits the number. */
export const plural = (value, one, several = `${one}s`) =>
  `${count(value)} ${value === 1 ? one : several}`;

function shortest(value, decimals) {
  const text = value.toFixed(decimals);
  // Nothing that was measured as more than nothing is shown as nothing.
  if (Number(text) === 0 && value > 0) return `<${10 ** -decimals}`;
  return text.replace(/\.0+$/, "");
}

/** What charts write on their axes: the same figures without decimals that say nothing. */
const onAxis = (format) => (value) => format(value).replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");

/** How each kind of figure is written, and whether its round numbers are powers of two. */
export const UNITS = {
  cpu: { format: cpu, onAxis: onAxis(cpu), binary: false },
  bytes: { format: bytes, onAxis: onAxis(bytes), binary: true },
  rate: { format: rate, onAxis: onAxis(rate), binary: true },
  percent: { format: percent, onAxis: onAxis(percent), binary: false },
  count: { format: count, onAxis: count, binary: false, whole: true },
  number: { format: number, onAxis: onAxis(number), binary: false },
};
