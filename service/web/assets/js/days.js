// Days of the calendar in the time zone of whoever looks, and the moments at which they begin.

/** "2026-05-04" → the ISO time at which that day begins here, or `after` days later; null for no day. */
export function beginOf(day, after = 0) {
  const [year, month, date] = (day ?? "").split("-").map(Number);
  if (!year || !month || !date) return null;
  const begin = new Date(year, month - 1, date + after); // by the calendar: a day of 23 or 25 hours is one too
  return Number.isNaN(begin.getTime()) ? null : begin.toISOString();
}

/** "2026-05-04" → "2026-W19", the ISO week of that day. */
export function weekOf(day) {
  const [year, month, date] = day.split("-").map(Number);
  // The week belongs to the year of its Thursday.
  const thursday = new Date(Date.UTC(year, month - 1, date));
  thursday.setUTCDate(thursday.getUTCDate() + 3 - ((thursday.getUTCDay() + 6) % 7));
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const number = 1 + Math.floor((thursday.getTime() - first) / (7 * 24 * 3600_000));
  return `${thursday.getUTCFullYear()}-W${String(number).padStart(2, "0")}`;
}
