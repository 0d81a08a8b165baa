// What this page adds to Swagger UI: groups of tags, a filter that searches operations, answers that are folded, and
// signing in by executing an operation that returns an access token.
'use strict'

const signIns = JSON.parse(document.getElementById('sign-ins').textContent)

function additions({ React }) {
  const h = React.createElement
  const folded = (summary, ...children) =>
    h('details', { className: 'folded' }, h('summary', null, summary), ...children)

  // The first tag of a group that is shown, with the name of the group above it.
  const OperationTag = (Original, system) => (props) => {
    const shown = system.specSelectors.taggedOperations().keySeq()
    const groups = system.specSelectors.specJson().get('x-tagGroups')
    const group = groups && groups.find((group) => group.get('tags').includes(props.tag))
    const isFirst = group && shown.find((tag) => group.get('tags').includes(tag)) === props.tag
    return h(
      React.Fragment,
      null,
      isFirst && h('h2', { className: 'tag-group' }, group.get('name')),
      h(Original, props),
    )
  }

  // An answer of the specification. Errors say what they are, and show their examples when they are opened.
  const response = (Original) => (props) => {
    if (!/^[45]/.test(props.code)) return h(Original, props)
    const examples = props.response.getIn(['content', 'application/problem+json', 'examples'])
    const codes = examples ? examples.keySeq().toArray() : []
    const more = codes.length > 6 ? ` and ${codes.length - 6} more` : ''
    const answer = h('table', null, h('tbody', null, h(Original, props)))
    return h(
      'tr',
      { className: 'response-error' },
      h('td', { className: 'response-col_status' }, props.code),
      h('td', { colSpan: 2 }, folded(codes.slice(0, 6).join(', ') + more, answer)),
    )
  }

  const FilterContainer = (Original) => (props) => {
    const name = (element) => element?.querySelector('input')?.setAttribute('placeholder', 'Search operations')
    return h('div', { ref: name }, h(Original, props))
  }

  // The only server is that of this page.
  const ServersContainer = () => () => null

  const headers = (Original) => (props) =>
    props.headers && props.headers.size ? folded('Headers', h(Original, props)) : null

  return {
    fn: {
      // Finds operations by tag, path, summary and id.
      opsFilter: (tags, phrase) => {
        const words = phrase.toLowerCase().split(/\s+/).filter(Boolean)
        const has = (text) => words.every((word) => text.toLowerCase().includes(word))
        const text = (operation, tag) =>
          [tag, operation.get('path'), ...['summary', 'operationId'].map((part) => operation.getIn(['operation', part]))]
            .filter(Boolean)
            .join(' ')
        return tags
          .map((of, tag) =>
            of.update('operations', (operations) =>
              operations.filter((operation) => has(text(operation, tag))),
            ),
          )
          .filter((of) => of.get('operations').size > 0)
      },
    },
    wrapComponents: { FilterContainer, OperationTag, ServersContainer, headers, response },
    statePlugins: {
      layout: {
        wrapSelectors: {
          // What is found is shown. The original knows the state.
          isShown: (original) => (state, thing, ...rest) => {
            const phrase = state.get('filter')
            const isFound = typeof phrase === 'string' && phrase !== '' && thing[0] === 'operations-tag'
            return isFound || original(thing, ...rest)
          },
        },
      },
    },
  }
}

const ui = SwaggerUIBundle({
  dom_id: '#ui',
  url: document.getElementById('ui').dataset.description,
  plugins: [additions],
  deepLinking: true,
  filter: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  displayOperationId: true,
  displayRequestDuration: true,
  docExpansion: 'none',
  defaultModelsExpandDepth: -1,
  responseInterceptor: (response) => {
    const token = response.ok && (response.obj ?? response.body)?.access_token
    if (token) authorize(token)
    return response
  },
  onComplete: offerSignIns,
})

// As the dialog of the button `Authorize` does.
function authorize(token) {
  const schema = ui.specSelectors.specJson().getIn(['components', 'securitySchemes', 'bearer'])
  ui.authActions.authorizeWithPersistOption({ bearer: { name: 'bearer', schema, value: token } })
}

// In development, the people of the demo data.
function offerSignIns() {
  if (signIns.length === 0) return
  const form = document.getElementById('sign-in')
  const account = document.getElementById('account')
  for (const { email, role, organization, slug } of signIns) {
    account.add(new Option(`${email} · ${role} of ${organization}`, `${email} ${slug}`))
  }
  form.hidden = false
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const { email, password, slug } = signIns[account.selectedIndex]
    const response = await fetch('/api/v1/auth/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email, password, organization_slug: slug }),
    })
    const answer = await response.json()
    if (response.ok) authorize(answer.access_token)
    document.getElementById('signed-in').textContent = response.ok ? `Signed in as ${email}.` : answer.detail
  })
}
