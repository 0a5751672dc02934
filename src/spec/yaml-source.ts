import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  visit,
} from 'yaml'
import type { Problem } from '../errors.ts'

export interface Position {
  /** 1-based. */
  line: number
  /** 1-based. */
  column: number
}

export type Path = readonly (string | number)[]

/** One YAML document as plain data, and where each of its parts stands in the user's file. */
export interface YamlDocument {
  value: unknown
  /**
   * Where `path` stands, or the nearest thing around it that is there. A single value is pointed
   * at itself, everything else at its key; `keyOf` always asks for the key.
   */
  locate(path: Path, keyOf?: 'key'): Position
}

/** `spec.zones[0]`; a key with a dot or a slash in it is put in quotes. */
export const pathText = (path: Path): string =>
  path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`
      if (!/^[\w-]+$/.test(part)) return `["${part}"]`
      return index === 0 ? part : `.${part}`
    })
    .join('')

const syntaxMessages: Record<string, { message: string; remedy: string }> = {
  TAB_AS_INDENT: {
    message: 'a tab is used for indentation',
    remedy: 'YAML takes spaces only: put spaces in its place.',
  },
  BAD_ALIAS: { message: 'this alias cannot be used', remedy: 'Write the value itself.' },
}

/** Splits a file into its documents. Empty documents are left out; broken ones have only problems. */
export function readYaml(text: string, file: string): { documents: YamlDocument[]; problems: Problem[] } {
  const lines = new LineCounter()
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const documents: YamlDocument[] = []
  const problems: Problem[] = []
  const problem = (offset: number, path: string, message: string, remedy: string) =>
    problems.push({ severity: 'error', path, message, remedy, file, ...at(offset) })

  for (const document of parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })) {
    // One mistake in the syntax makes the parser stumble several times: the first says it.
    const syntax = document.errors.find((error) => error.code !== 'DUPLICATE_KEY')
    for (const error of document.errors) {
      const [offset] = error.pos
      if (error.code === 'DUPLICATE_KEY') {
        const key = wordAt(text, offset)
        problem(offset, key, `${key} is given twice`, 'Keep one of them.')
      } else if (error === syntax) {
        const known = syntaxMessages[error.code]
        const message = known?.message ?? `this is no valid YAML: ${error.message}`
        problem(
          offset,
          '',
          message,
          known?.remedy ?? 'Look at the indentation, colons and quotes around here.',
        )
      }
    }
    if (syntax || (isScalar(document.contents) && document.contents.value === null)) continue
    const keys = unusableKeys(document)
    for (const key of keys) problem(key.offset, key.word, key.message, 'Use a plain word as the name.')
    if (keys.length > 0) continue
    try {
      const value: unknown = document.toJS({ maxAliasCount: 100 })
      documents.push({ value, locate: (path, keyOf) => at(offsetOf(document, path, keyOf === 'key')) })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      problem(brokenAlias(document), '', `an alias cannot be resolved: ${reason}`, 'Write the value itself.')
    }
  }
  return { documents, problems }
}

const wordAt = (text: string, offset: number): string =>
  /^[^\s:]+/.exec(text.slice(offset, offset + 80))?.[0] ?? 'a key'

/** Names that JavaScript objects cannot hold faithfully, so that nothing is dropped in silence. */
function unusableKeys(document: Document.Parsed): { offset: number; word: string; message: string }[] {
  const found: { offset: number; word: string; message: string }[] = []
  visit(document, {
    Pair(_key, { key }) {
      const offset = isNode(key) ? (key.range?.[0] ?? 0) : 0
      if (!isScalar(key))
        found.push({ offset, word: '', message: 'a list or mapping cannot be the name of a field' })
      else if (key.value === '__proto__')
        found.push({ offset, word: '__proto__', message: '__proto__ cannot be the name of a field' })
    },
  })
  return found
}

/** Where the first alias without an anchor stands. */
function brokenAlias(document: Document.Parsed): number {
  let offset = document.range[0]
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document)) return undefined
      offset = alias.range?.[0] ?? offset
      return visit.BREAK
    },
  })
  return offset
}

function offsetOf(document: Document.Parsed, path: Path, wantKey: boolean): number {
  let node: Node | null | undefined = document.contents
  let offset = node?.range?.[0] ?? document.range[0]
  for (const [index, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document)
    let next: Node | null | undefined
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => (isScalar(item.key) ? String(item.key.value) : undefined) === String(part),
      )
      if (!pair) return offset
      offset = (pair.key as Node).range?.[0] ?? offset
      next = pair.value as Node | null
    } else if (isSeq(node) && typeof part === 'number') {
      next = node.items[part] as Node | undefined
      offset = next?.range?.[0] ?? offset
    }
    if (!next) return offset
    const isValue = isScalar(next) && next.value !== null
    if (index === path.length - 1 && isValue && !wantKey) return next.range?.[0] ?? offset
    node = next
  }
  return offset
}
