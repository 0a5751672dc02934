import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { jsonSchemas } from '../src/spec/schema.ts'

/** Writes docs/schema/*.json from the zod schemas: `npm run schema`. */
const folder = fileURLToPath(new URL('../docs/schema/', import.meta.url))
mkdirSync(folder, { recursive: true })
for (const [name, schema] of Object.entries(jsonSchemas()))
  writeFileSync(`${folder}${name}`, `${JSON.stringify(schema, null, 2)}\n`)
