import { useEffect, useRef } from 'preact/hooks'
import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { Point } from './monitor.ts'

type Key = Exclude<keyof Point, 'time'>

interface Line { key: Key, name: string }

interface ChartProps {
  title: string
  lines: readonly Line[]
  points: readonly Point[]
  format: (value: number | null | undefined) => string
  /** Whether there is nothing between two whole numbers */
  isWhole?: boolean
}

const HEIGHT = 150 // px
const SPAN = { least: 60, most: 300 } // s that the axis shows
const WHOLE = [1, 2, 5].flatMap(n => [0, 1, 2, 3, 4, 5].map(zeros => n * 10 ** zeros)).sort((a, b) => a - b)
const ROWS = 10 // of the table

const dark = matchMedia('(prefers-color-scheme: dark)')

/** A plot with what it shows in words: the values of now, and a table of the last seconds. */
export function Chart (props: ChartProps) {
  const { title, lines, points, format } = props
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot>(undefined)

  useEffect(() => {
    const element = place.current!
    const draw = (): void => {
      const data = plot.current?.data ?? dataOf(lines, points)
      plot.current?.destroy()
      plot.current = drawPlot(element, props)
      plot.current.setData(data)
    }
    draw()
    const observer = new ResizeObserver(() => { plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }) })
    observer.observe(element)
    dark.addEventListener('change', draw)
    return () => {
      observer.disconnect()
      dark.removeEventListener('change', draw)
      plot.current?.destroy()
    }
  }, [])
  useEffect(() => { plot.current?.setData(dataOf(lines, points)) }, [points])

  const last = points.at(-1)
  return (
    <figure class='chart'>
      <figcaption>
        <h3>{title}</h3>
        <dl>
          {lines.map(({ key, name }, n) => (
            <div key={key}>
              <dt><i class={`swatch line-${n + 1}`} aria-hidden='true' />{name}</dt>
              <dd>{format(last?.[key])}</dd>
            </div>
          ))}
        </dl>
      </figcaption>
      <div class='plot' ref={place} aria-hidden='true' />
      <details>
        <summary>{title} as a table</summary>
        <table>
          <caption class='hidden'>{title}, the last {ROWS} seconds</caption>
          <thead>
            <tr>
              <th scope='col'>Time</th>
              {lines.map(({ key, name }) => <th key={key} scope='col' class='number'>{name}</th>)}
            </tr>
          </thead>
          <tbody>
            {points.slice(-ROWS).reverse().map(point => (
              <tr key={point.time}>
                <th scope='row'>{clock(point.time)}</th>
                {lines.map(({ key }) => <td key={key} class='number'>{format(point[key])}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  )
}

/** The time of day, of seconds since 1970. */
const clock = (time: number): string => new Date(time * 1000).toLocaleTimeString('en-GB')

const dataOf = (lines: readonly Line[], points: readonly Point[]): UPlot.AlignedData =>
  [points.map(({ time }) => time), ...lines.map(({ key }) => points.map(point => point[key]))]

/** An empty plot in the colours of the theme. */
function drawPlot (place: HTMLElement, { lines, format, isWhole }: ChartProps): UPlot {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string): string => style.getPropertyValue(name).trim()
  const axis = {
    stroke: colour('--muted'),
    font: '11px system-ui',
    ticks: { show: false },
    grid: { stroke: colour('--grid'), width: 1 }
  }
  return new UPlot({
    width: place.clientWidth,
    height: HEIGHT,
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: true, range: (_plot, min, max) => [max - Math.min(Math.max(max - min, SPAN.least), SPAN.most), max] },
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.15 : 1] }
    },
    axes: [
      { ...axis, grid: { show: false }, space: 90, size: 24, values: (_plot, times) => times.map(clock) },
      {
        ...axis,
        size: 62,
        space: 36,
        ...isWhole === true && { incrs: WHOLE },
        values: (_plot, values) => values.map(format)
      }
    ],
    series: [{}, ...lines.map((_line, n) => ({
      stroke: colour(`--line-${n + 1}`),
      width: 1.5,
      points: { show: false },
      ...n === 0 && { fill: colour('--fill-1') }
    }))]
  }, [[]], place)
}
