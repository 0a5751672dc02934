import { parse } from 'yaml'

/** The first document of a file that Holdfast itself wrote; it was checked when it was declared. */
export const parseYaml = (text: string): unknown => parse(text)
