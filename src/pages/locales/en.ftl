# The texts of the pages. All languages have the same keys.

## Frame
skip = Skip to content
languages = Languages
powered = Booking by appointd
your-time = your time:
optional = optional
go-on = Continue
check-fields = Please check these fields:

## Dates and amounts
first-weekday = 1
weekday-1 = Monday
weekday-2 = Tuesday
weekday-3 = Wednesday
weekday-4 = Thursday
weekday-5 = Friday
weekday-6 = Saturday
weekday-7 = Sunday
weekday-short-1 = Mon
weekday-short-2 = Tue
weekday-short-3 = Wed
weekday-short-4 = Thu
weekday-short-5 = Fri
weekday-short-6 = Sat
weekday-short-7 = Sun
month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December
day = { $weekday }, { $day } { $month }
month-and-year = { $month } { $year }
at = { $weekday }, { $date }, { $time }
period = { $weekday }, { $date }, { $from } to { $to }
am = am
pm = pm
decimal-mark = .
price-of = { $currency }{ $amount }
duration-minutes = { $minutes } min
duration-hours = { $hours } h
duration-both = { $hours } h { $minutes } min
duration-days = { $days ->
    [one] { $days } day
   *[other] { $days } days
}
zone-note = Times are those of { $organization }: { $zone }.

## Choosing
steps = Steps of booking
step-service = Service
step-time = Time
step-details = Details
choose-service = What can we do for you?
no-services = Nothing can be booked online at the moment.
approval = we confirm it
choose-time = Choose a time
anyone = Anyone
morning = Morning
afternoon = Afternoon
evening = Evening
key-free = free
key-few = a few left
times-free = { $count ->
    [one] One time free.
   *[other] { $count } times free.
}
day-free = { $count ->
    [one] { $day }, one time free
   *[other] { $day }, { $count } times free
}
day-none = { $day }, nothing free
month-none = Nothing is free in { $month }.
next-free = Next free day: { $day }
waitlist-invite = Nothing that suits? Join the waitlist.
your-appointment = Your appointment
service = Service
with = With
when = When
price = Price
notice = You can move or cancel it online until { $duration } before.
notice-none = You can move or cancel it online until it begins.

## Details
your-details = Your details
field-first-name = First name
field-last-name = Last name
field-email = E-mail
field-phone = Telephone
field-note = Anything we should know?
hint-email = We send the confirmation here, with a link to move or cancel.
hint-email-required = We send a link here.
kept = This time is kept for you until { $time }.
kept-soon = This time is kept for you for two more minutes.
kept-over = This time is no longer kept for you. You get it if it is still free when you book.
time-left = Time left
book-it = Book this appointment
ask-for-it = Ask for this appointment
other-time = Choose another time
error-required = Please fill this in.
error-email = Enter an e-mail address, such as grace@example.com.
error-name = Enter a name, without web or e-mail addresses.
error-invalid = This cannot be used here.
error-password = Choose a longer password that is hard to guess.
error-token = This link is not valid. It may have expired or been used before.

## Booked
heading-booked = You are booked
heading-pending = We have your request
mailed = We have written to you. The e-mail has a link to move or cancel it.
not-mailed = Keep this page, or add it to your calendar.
add-to-calendar = Add to calendar
move-or-cancel = Move or cancel
status-pending = The time is reserved for you. We will confirm it.
status-confirmed = Confirmed
status-checked-in = You have arrived
status-in-progress = It has begun
status-completed = It has taken place
status-cancelled = Cancelled
status-declined = Declined
status-no-show = Missed
changeable-until = You can move or cancel it until { $at }.
not-changeable = It can no longer be changed here. Please contact { $organization }.
book-again = Book another appointment
said-moved = Your appointment has been moved.
said-cancelled = Your appointment has been cancelled.
cancel-it = Cancel the appointment
cancel-question = Cancel this appointment?
keep-it = Keep it
field-reason = Reason
check-mail-heading = Check your mail
check-mail = Open the link that we have sent to you. Your booking takes effect then.
check-mail-until = Open the link that we have sent to you until { $time }. Your booking takes effect then.
verify-heading = Confirm your booking
verify-until = The time is kept for you until { $time }.
verify-it = Book this appointment
open-link-heading = Open your link
open-link = Open the link from your e-mail again, or paste it here.
field-token = Link or token from the e-mail
hint-token = It is in the e-mail that we sent to you.

## Waitlist
waitlist-heading = Join the waitlist
waitlist-about = We write to you when a time for { $service } becomes free until { $date }.
waitlist-join = Join the waitlist
to-times = Back to the times
waiting-heading = You are on the waitlist
waiting-mailed = We have written to you. The e-mail has a link to leave the waitlist.
waiting-for = { $service }, from { $from } to { $to }
waiting-ended = You are no longer on the waitlist
offer-heading = A time has opened for you
offer-until = We keep it for you until { $at }. Then the next on the waitlist is asked.
offer-accept = Take it
offer-decline = No, thank you
offer-withdraw = Leave the waitlist
waitlist-status-waiting = You are waiting.
waitlist-status-offered = A time is offered to you.
waitlist-status-booked = You have taken a time.
waitlist-status-declined = You have declined the time.
waitlist-status-expired = The time that was kept for you has been offered to the next.
waitlist-status-withdrawn = You have left the waitlist.

## Account
forgotten-heading = Forgotten your password?
forgotten-about = We send you a link with which you set a new one.
forgotten-submit = Send the link
forgotten-sent-heading = Check your mail
forgotten-sent = If an account with this address exists, it gets an e-mail within a minute.
reset-heading = Set a new password
reset-about = You are signed out everywhere when the new password is set.
reset-submit = Set the password
reset-again = Get a new link
reset-done-heading = Your password is set
reset-done = Sign in with it from now on.
verify-email-heading = Verify your e-mail address
verify-email-about = Sign in to show that the account is yours.
verify-email-submit = Verify the address
verify-email-done-heading = Your address is verified
verify-email-done = You can close this page.
field-password = Password
field-code = Code
field-full-name = Your name
hint-password = At least 8 characters that are hard to guess.
hint-code = From your authenticator app, if your account has a second factor.
invitation-heading = Accept the invitation
invitation-about = { $organization } invites { $email } as { $role }.
invitation-account = You have an account already. Enter its password.
invitation-no-account = Choose a password for your new account.
invitation-submit = Accept
invitation-done-heading = You have joined
invitation-done = You can sign in with your e-mail address and password.
role-admin = administrator
role-manager = manager
role-staff = member of the staff
role-viewer = viewer
role-customer = customer

## Unsubscribing
unsubscribe-heading = Unsubscribe
unsubscribe-reminders = { $organization } will no longer remind you of your appointments by e-mail. You still get e-mails about bookings, changes and cancellations.
unsubscribe-thanks = { $organization } will no longer thank you by e-mail after your appointments.
unsubscribe-it = Unsubscribe
unsubscribe-done-heading = You are unsubscribed
unsubscribe-done = You get no more e-mails of this kind. If you change your mind, please tell the organization.

## Front page
landing-heading = Appointments for many businesses
landing-about = appointd is a server with which salons, clinics and offices take bookings. Their customers book on pages like these.
landing-demo = Try it: demo booking pages
landing-programs = For programs
landing-programs-about = All that the pages do, and more, is in the API.
landing-docs = API documentation
landing-reference = Reference

## Problems
heading-problem = That did not work
heading-404 = Not found
heading-401 = The link is not valid
to-booking = To the booking page
to-front = To the front page
problem-401 = The link is incomplete, or it has expired. Open the latest link that you have.
problem-404 = This page does not exist, or it is no longer shown.
problem-429 = That was too often. Please wait a little, and try again.
problem-503 = The server is busy. Please try again.
problem-other = Something went wrong. Please try again, or contact the organization.
problem-slot_unavailable = This time has just been taken. These are free:
problem-contact_busy = You have another appointment at this time.
problem-already_booked = You have a place in this session already.
problem-already_waiting = You are on this waitlist already.
problem-slots_available = A time is free. You need not wait.
problem-hold_expired = This time is no longer kept for you. You get it if it is still free when you book.
problem-too_late = It is too late to change this online. Please contact the organization.
problem-transition_not_allowed = The appointment can no longer be changed.
problem-service_unavailable = This service can no longer be booked online. Please contact the organization.
problem-nothing_offered = This time is no longer kept for you.
problem-guest_limit = Too many bookings were made from here. Please try again later.
problem-too_many_holds = Too many people are booking right now. Please try again in some minutes.
problem-mail_unavailable = We cannot send e-mails at the moment. Please contact the organization.
problem-foreign_form = The form did not come from this page. Open the page again, and send it from there.
problem-invitation_unknown = The invitation was accepted, was withdrawn, or has expired.
problem-invitation_for_another = The invitation is for another e-mail address.
problem-exclusive_membership = An organization that you work for allows no other membership.
problem-email_taken = An account with this address exists. Open the link again, and accept with it.
problem-credentials_invalid = The e-mail address or the password is wrong.
problem-second_factor_required = Enter the code from your authenticator app.
problem-second_factor_invalid = The code is wrong, too old, or was used before.
problem-too_many_attempts = Too many attempts. Please wait some minutes.
problem-captcha_required = This server asks for a captcha, which its pages do not show. Please contact the organization.
