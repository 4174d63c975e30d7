import { render } from 'preact'
import { takeToken } from './api.ts'
import { App } from './app.tsx'
import { monitor } from './monitor.ts'
import './style.css'

takeToken()
monitor.start()
render(<App />, document.body)
