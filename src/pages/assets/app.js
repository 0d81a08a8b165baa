// Pages work without this. It adds: the secret behind `#` of links in e-mails, the viewer's own time beside the time of
// the organization, a countdown of held time, arrow keys in the month, and no second submission of a form.
'use strict'

// Browsers do not send what is behind `#`, so it is in no log. The form posts it; the address bar forgets it.
const fillToken = () => {
  const token = /^#token=(.+)$/.exec(location.hash)
  const form = document.querySelector('form[data-token]')
  if (!token || !form) return
  const input = form.elements.namedItem('token')
  if (!input) return
  history.replaceState(null, '', location.pathname + location.search)
  input.value = decodeURIComponent(token[1])
  if (form.hasAttribute('data-submit')) {
    form.submit()
  } else {
    const field = input.closest('.field')
    if (field) field.hidden = true
  }
}

// Times are those of the organization. Where the viewer's clock shows another time, it stands beside, with its zone.
const addOwnTimes = () => {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone
  const { zone, hours, yours } = document.body.dataset
  if (!own || !zone || own === zone) return
  const options = { hour: '2-digit', minute: '2-digit', hourCycle: hours === 'h12' ? 'h12' : 'h23' }
  const language = document.documentElement.lang
  const clock = (at, timeZone) => new Intl.DateTimeFormat(language, { ...options, timeZone }).format(at)
  const day = (at, timeZone) => new Intl.DateTimeFormat(language, { weekday: 'short', timeZone }).format(at)
  for (const time of document.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime)
    if (clock(at, own) === clock(at, zone) && day(at, own) === day(at, zone)) continue
    const other = document.createElement('span')
    other.className = 'own'
    const date = day(at, own) === day(at, zone) ? '' : `${day(at, own)} `
    const isShort = time.closest('button')
    other.textContent = isShort ? date + clock(at, own) : `(${yours} ${date}${clock(at, own)}, ${own})`
    time.append(' ', other)
  }
  const note = document.querySelector('[data-own-note]')
  if (note && document.querySelector('.own')) {
    const text = document.createElement('span')
    text.className = 'own'
    text.textContent = `${yours} ${own}`
    note.append(' ', text)
  }
}

const countDown = () => {
  const bar = document.querySelector('progress[data-until]')
  if (!bar) return
  const status = bar.parentElement.querySelector('[role=status]')
  const until = new Date(bar.dataset.until)
  const tick = () => {
    const left = Math.max(0, Math.round((until - Date.now()) / 1000))
    bar.value = left
    const said = left === 0 ? status.dataset.over : left <= 120 ? status.dataset.soon : ''
    if (status.textContent !== said) status.textContent = said
    if (left > 0) setTimeout(tick, 1000)
  }
  tick()
}

// Left and right in the direction of the page, up and down by weeks, home and end within the month.
const moveByKeys = (event) => {
  const links = [...event.currentTarget.querySelectorAll('a')]
  const at = links.indexOf(document.activeElement)
  if (at < 0) return
  const cells = [...event.currentTarget.querySelectorAll('td')]
  const place = cells.indexOf(links[at].closest('td'))
  const on = document.documentElement.dir === 'rtl' ? -1 : 1
  const steps = { ArrowLeft: -on, ArrowRight: on, ArrowUp: -7, ArrowDown: 7 }
  let wanted
  if (event.key === 'Home') wanted = links[0]
  else if (event.key === 'End') wanted = links.at(-1)
  else if (steps[event.key]) {
    for (let cell = place + steps[event.key]; cells[cell]; cell += steps[event.key]) {
      wanted = cells[cell].querySelector('a')
      if (wanted) break
    }
  } else return
  event.preventDefault()
  if (wanted) wanted.focus()
}

const sendOnce = (event) => {
  if (event.target.dataset.sent) event.preventDefault()
  event.target.dataset.sent = 'yes'
}

fillToken()
addEventListener('hashchange', fillToken)
addOwnTimes()
countDown()
document.querySelector('[data-month]')?.addEventListener('keydown', moveByKeys)
for (const form of document.querySelectorAll('form[data-once]')) form.addEventListener('submit', sendOnce)
// A page from the back/forward cache may be sent again.
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent
})
document.querySelector('[data-focus]')?.focus()
