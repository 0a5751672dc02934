import type { Problem } from '../errors.ts'

/** As the command line hands them over: text, or what a program gives in its place. */
export type ListFlag = string | readonly string[]
export type NumberFlag = string | number

/** Reads flags and gathers what is wrong with them; every reader answers undefined when it cannot. */
export interface FlagReader {
  readonly errors: Problem[]
  error(flag: string, message: string, remedy: string): void
  /** `a,b, c`; each entry once. */
  list(flag: string, value: ListFlag | undefined): string[] | undefined
  count(flag: string, value: NumberFlag | undefined): number | undefined
  /** `K=V,K2=V2`; values may have spaces. */
  labels(flag: string, value: string | undefined): Record<string, string>
  choice<T extends string>(flag: string, value: string | undefined, choices: readonly T[]): T | undefined
  /** The value of flags that are two words for one thing. */
  either<T>(words: readonly [string, T | undefined][]): { flag: string; value: T | undefined }
}

export function flagReader(): FlagReader {
  const errors: Problem[] = []
  const error: FlagReader['error'] = (flag, message, remedy) =>
    errors.push({ severity: 'error', path: flag, message, remedy })
  return {
    errors,
    error,

    list(flag, value) {
      if (value === undefined || value === '') return undefined
      const parts = (typeof value === 'string' ? value.split(',') : [...value]).map((part) => part.trim())
      if (parts.some((part) => part === '')) {
        error(
          flag,
          `${flag} has an empty entry`,
          'Write names with single commas between them, such as a,b,c.',
        )
        return undefined
      }
      const twice = parts.find((part, index) => parts.indexOf(part) < index)
      if (twice === undefined) return parts
      const remedy =
        flag === '--master-zones' || flag === '--control-plane-zones'
          ? 'Name it once; --master-count says how many masters are spread over the zones.'
          : 'Name it once.'
      error(flag, `${flag} names ${twice} twice`, remedy)
      return undefined
    },

    count(flag, value) {
      if (value === undefined || value === '') return undefined
      const text = String(value).trim()
      if (/^\d{1,6}$/.test(text)) return Number(text)
      error(flag, `${flag} must be a whole number, and is "${text}"`, 'Write a number such as 3.')
      return undefined
    },

    labels(flag, value) {
      const labels: Record<string, string> = {}
      for (const item of value === undefined || value === '' ? [] : value.split(',')) {
        const [key = '', ...rest] = item.split('=')
        const name = key.trim()
        if (rest.length === 0 || name === '')
          error(
            flag,
            `${flag} has "${item.trim()}", which is not NAME=VALUE`,
            'Write, for example, "Team=Dev,Owner=John Doe".',
          )
        else if (Object.hasOwn(labels, name)) error(flag, `${flag} names ${name} twice`, 'Name it once.')
        else
          Object.defineProperty(labels, name, {
            value: rest.join('=').trim(),
            enumerable: true,
            configurable: true,
            writable: true,
          })
      }
      return labels
    },

    choice(flag, value, choices) {
      const known = choices.find((choice) => choice === value)
      if (value !== undefined && value !== '' && known === undefined)
        error(flag, `${flag} cannot be "${value}"`, `It can be ${choices.join(', ')}.`)
      return known
    },

    either(words) {
      const given = words.filter(([, value]) => value !== undefined)
      const [first, ...others] = given
      for (const [flag, value] of others)
        if (first && String(value) !== String(first[1]))
          error(
            flag,
            `${flag} and ${first[0]} are two words for one thing and differ: "${String(value)}" and "${String(first[1])}"`,
            'Give one of them.',
          )
      return { flag: first?.[0] ?? words[0]?.[0] ?? '', value: first?.[1] }
    },
  }
}
