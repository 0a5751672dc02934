/** Columns padded to their widest cell, two spaces apart, headings in capitals, as kubectl does. */
export function renderTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return `${[headings.map((heading) => heading.toUpperCase()), ...rows].map(line).join('\n')}\n`
}
