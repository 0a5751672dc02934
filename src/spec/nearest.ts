/** The number of single-character edits and swaps of neighbours between two words (optimal string alignment). */
function distance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? (beforePrevious[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min(substitution, swap, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
    beforePrevious = previous
    previous = row
  }
  return previous[b.length] ?? 0
}

/** The known word that somebody most likely meant, or undefined when none is close. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const wanted = word.toLowerCase()
  let best: { word: string; edits: number } | undefined
  for (const candidate of known) {
    const edits = distance(wanted, candidate.toLowerCase())
    if (!best || edits < best.edits) best = { word: candidate, edits }
  }
  const allowed = Math.max(1, Math.floor(wanted.length / 3))
  return best && best.edits <= allowed ? best.word : undefined
}

/** `a`, `a or b`, `a, b or c`. */
export const orList = (words: readonly string[]): string => joined(words, 'or')

/** `a`, `a and b`, `a, b and c`. */
export const andList = (words: readonly string[]): string => joined(words, 'and')

const joined = (words: readonly string[], last: string): string =>
  words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`
