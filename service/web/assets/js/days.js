// Days of the calendar in the time zone of whoever looks, and the moments at which they begin.

/** "2026-05-04" → the ISO time at which that day begins here, or `after` days later; null for no day. */
export function beginOf(day, after = 0) {
  const [year, month, date] = (day ?? "").split("-").map(Number);
  if (!year || !month || !date) return null;
  const begin = new Date(year, month - 1, date + after); // by the calendar: a day of 23 or 25 hours is one too
  return Number.isNaN(begin.getTime()) ? null : begin.toISOString();
}
