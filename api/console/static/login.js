// Where keys are in use, the first page: log in by key.

import { html, useState } from './html.js';
import { logIn } from './store.js';

export function LoginPage() {
  const [problem, setProblem] = useState(null);
  const [sending, setSending] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setSending(true);
    await logIn(new FormData(event.target).get('key').trim()).catch((error) => setProblem(error.message));
    setSending(false);
  };
  return html`
    <form class="login" onSubmit=${submit}>
      <h1>Surgeline</h1>
      <p>This installation asks for a key.</p>
      ${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
      <label>Your key <input name="key" type="password" required autocomplete="current-password" autofocus /></label>
      <p><button class="primary" disabled=${sending}>Log in</button></p>
      <p class="dim">An administrator makes one: <code>surgeline keys create NAME --role operator</code></p>
    </form>`;
}
