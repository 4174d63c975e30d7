import { useState } from 'preact/hooks'
import { keepToken, knownToken, type ApiError } from './api.ts'
import { monitor } from './monitor.ts'

/** Asks for a token, which is then shown with every request. */
export function SignIn ({ error }: { error: ApiError }) {
  const [token, setToken] = useState('')
  const wasTried = knownToken() !== null || error.status === 403
  const show = (event: Event): void => {
    event.preventDefault()
    keepToken(token.trim())
    monitor.start()
  }
  return (
    <form class='sign-in' onSubmit={show}>
      <p>
        This relay shows its dashboard only to callers that may <code>administer</code> it. The token is kept in this
        tab only.
      </p>
      <label for='token'>Token</label>
      <input
        id='token' type='password' autocomplete='off' required spellcheck={false} value={token}
        aria-describedby={wasTried ? 'refusal' : undefined} aria-invalid={wasTried}
        onInput={event => { setToken(event.currentTarget.value) }}
      />
      {wasTried && <p id='refusal' class='problem' role='alert'>{error.message}</p>}
      <button type='submit'>Sign in</button>
    </form>
  )
}
