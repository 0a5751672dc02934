import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { jsonSchemas } from '../../src/spec/schema.ts'

test.each(Object.entries(jsonSchemas()))(
  'docs/schema/%s is up to date; `npm run schema` writes it',
  (name, schema) => {
    const committed: unknown = JSON.parse(
      readFileSync(new URL(`../../docs/schema/${name}`, import.meta.url), 'utf8'),
    )

    expect(committed).toEqual(JSON.parse(JSON.stringify(schema)))
  },
)
