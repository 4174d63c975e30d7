import type { ComponentChildren } from 'preact'
import type { ApiError } from './api.ts'
import { count } from './format.ts'

interface Column<Row> {
  name: string
  cell: (row: Row) => ComponentChildren
  /** Numbers stand at the right. */
  isNumber?: boolean
}

interface TableProps<Row> {
  caption: string
  columns: ReadonlyArray<Column<Row>>
  rows: readonly Row[] | undefined
  keyOf: (row: Row) => string
  /** What is said when there are none */
  empty: string
}

/** A table whose rows become cards on a phone; roles are said because that takes them from the elements. */
export function Table<Row> ({ caption, columns, rows, keyOf, empty }: TableProps<Row>) {
  return (
    <table role='table' aria-busy={rows === undefined}>
      <caption>{caption}</caption>
      <thead role='rowgroup'>
        <tr role='row'>
          {columns.map(({ name, isNumber }) => (
            <th key={name} role='columnheader' scope='col' class={isNumber ? 'number' : ''}>{name}</th>
          ))}
        </tr>
      </thead>
      <tbody role='rowgroup'>
        {(rows ?? []).map(row => (
          <tr role='row' key={keyOf(row)}>
            {columns.map(({ name, cell, isNumber }, n) => n === 0
              ? <th key={name} role='rowheader' scope='row'>{cell(row)}</th>
              : (
                <td key={name} role='cell' data-label={name} class={isNumber ? 'number' : ''}>
                  <div>{cell(row)}</div>
                </td>
                ))}
          </tr>
        ))}
        {(rows === undefined || rows.length === 0) &&
          <tr role='row'>
            <td role='cell' class='empty' colSpan={columns.length}>{rows === undefined ? 'Loading …' : empty}</td>
          </tr>}
      </tbody>
    </table>
  )
}

/** Names and their values. */
export function Facts ({ facts }: { facts: ReadonlyArray<readonly [string, ComponentChildren]> }) {
  return <dl class='facts'>{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
}

export function Problem ({ error }: { error: ApiError | undefined }) {
  return error === undefined ? null : <p class='problem' role='alert'>{error.message}</p>
}

interface PagerProps { label: string, text: string, back: (() => void) | undefined, next: (() => void) | undefined }

/** Buttons stay where they are when there is nowhere to go, so that the keyboard does not lose its place. */
export function Pager ({ label, text, back, next }: PagerProps) {
  return (
    <nav class='pager' aria-label={label}>
      <button type='button' aria-disabled={back === undefined} onClick={back}>Back</button>
      <span>{text}</span>
      <button type='button' aria-disabled={next === undefined} onClick={next}>Next</button>
    </nav>
  )
}

/** What of a list is shown. */
export const rangeOf = (offset: number, limit: number, total: number): string =>
  total === 0 ? 'none' : `${count(offset + 1)} to ${count(Math.min(offset + limit, total))} of ${count(total)}`

/** An id that can be read and broken anywhere. */
export const Id = ({ children }: { children: string }) => <code class='id'>{children}</code>
