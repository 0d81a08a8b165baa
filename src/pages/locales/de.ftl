# Die Texte der Seiten. Alle Sprachen haben dieselben Schlüssel.

## Rahmen
skip = Zum Inhalt
languages = Sprachen
powered = Buchung mit appointd
your-time = Ihre Zeit:
optional = freiwillig
go-on = Weiter
check-fields = Bitte prüfen Sie diese Angaben:

## Daten und Beträge
first-weekday = 1
weekday-1 = Montag
weekday-2 = Dienstag
weekday-3 = Mittwoch
weekday-4 = Donnerstag
weekday-5 = Freitag
weekday-6 = Samstag
weekday-7 = Sonntag
weekday-short-1 = Mo
weekday-short-2 = Di
weekday-short-3 = Mi
weekday-short-4 = Do
weekday-short-5 = Fr
weekday-short-6 = Sa
weekday-short-7 = So
month-1 = Januar
month-2 = Februar
month-3 = März
month-4 = April
month-5 = Mai
month-6 = Juni
month-7 = Juli
month-8 = August
month-9 = September
month-10 = Oktober
month-11 = November
month-12 = Dezember
day = { $weekday }, { $day }. { $month }
month-and-year = { $month } { $year }
at = { $weekday }, { $date }, { $time }
period = { $weekday }, { $date }, { $from } bis { $to }
am = vorm.
pm = nachm.
decimal-mark = ,
price-of = { $amount } { $currency }
duration-minutes = { $minutes } Min.
duration-hours = { $hours } Std.
duration-both = { $hours } Std. { $minutes } Min.
duration-days = { $days ->
    [one] { $days } Tag
   *[other] { $days } Tage
}
zone-note = Die Zeiten gelten am Ort von { $organization }: { $zone }.

## Auswählen
steps = Schritte der Buchung
step-service = Leistung
step-time = Zeit
step-details = Angaben
choose-service = Was dürfen wir für Sie tun?
no-services = Zurzeit kann nichts online gebucht werden.
approval = wir bestätigen den Termin
choose-time = Wählen Sie eine Zeit
anyone = Egal, wer
morning = Vormittag
afternoon = Nachmittag
evening = Abend
key-free = frei
key-few = wenige frei
times-free = { $count ->
    [one] Eine Zeit frei.
   *[other] { $count } Zeiten frei.
}
day-free = { $count ->
    [one] { $day }, eine Zeit frei
   *[other] { $day }, { $count } Zeiten frei
}
day-none = { $day }, nichts frei
month-none = Im { $month } ist nichts frei.
next-free = Nächster freier Tag: { $day }
waitlist-invite = Passt nichts? Auf die Warteliste setzen.
your-appointment = Ihr Termin
service = Leistung
with = Bei
when = Wann
price = Preis
notice = Online verschieben oder absagen können Sie bis { $duration } vorher.
notice-none = Online verschieben oder absagen können Sie, bis er beginnt.

## Angaben
your-details = Ihre Angaben
field-first-name = Vorname
field-last-name = Nachname
field-email = E-Mail
field-phone = Telefon
field-note = Sollen wir etwas wissen?
hint-email = Dorthin schicken wir die Bestätigung und einen Link zum Verschieben oder Absagen.
hint-email-required = Dorthin schicken wir einen Link.
kept = Diese Zeit ist bis { $time } für Sie reserviert.
kept-soon = Diese Zeit ist noch zwei Minuten für Sie reserviert.
kept-over = Diese Zeit ist nicht mehr reserviert. Sie bekommen sie, wenn sie beim Buchen noch frei ist.
time-left = Verbleibende Zeit
book-it = Diesen Termin buchen
ask-for-it = Diesen Termin anfragen
other-time = Andere Zeit wählen
error-required = Bitte füllen Sie dies aus.
error-email = Geben Sie eine E-Mail-Adresse ein, etwa grace@example.com.
error-name = Geben Sie einen Namen ein, ohne Web- oder E-Mail-Adressen.
error-invalid = Das geht hier nicht.
error-password = Wählen Sie ein längeres Passwort, das schwer zu erraten ist.
error-token = Dieser Link gilt nicht. Vielleicht ist er abgelaufen oder wurde schon benutzt.

## Gebucht
heading-booked = Ihr Termin ist gebucht
heading-pending = Wir haben Ihre Anfrage
mailed = Wir haben Ihnen geschrieben. In der E-Mail ist ein Link zum Verschieben oder Absagen.
not-mailed = Behalten Sie diese Seite, oder tragen Sie den Termin in Ihren Kalender ein.
add-to-calendar = In den Kalender
move-or-cancel = Verschieben oder absagen
status-pending = Die Zeit ist für Sie reserviert. Wir bestätigen sie noch.
status-confirmed = Bestätigt
status-checked-in = Sie sind da
status-in-progress = Er hat begonnen
status-completed = Er hat stattgefunden
status-cancelled = Abgesagt
status-declined = Abgelehnt
status-no-show = Versäumt
changeable-until = Sie können ihn bis { $at } verschieben oder absagen.
not-changeable = Hier kann er nicht mehr geändert werden. Bitte wenden Sie sich an { $organization }.
book-again = Noch einen Termin buchen
said-moved = Ihr Termin ist verschoben.
said-cancelled = Ihr Termin ist abgesagt.
cancel-it = Termin absagen
cancel-question = Diesen Termin absagen?
keep-it = Behalten
field-reason = Grund
check-mail-heading = Sehen Sie in Ihr Postfach
check-mail = Öffnen Sie den Link, den wir Ihnen geschickt haben. Erst dann ist gebucht.
check-mail-until = Öffnen Sie bis { $time } den Link, den wir Ihnen geschickt haben. Erst dann ist gebucht.
verify-heading = Bestätigen Sie Ihre Buchung
verify-until = Die Zeit ist bis { $time } für Sie reserviert.
verify-it = Diesen Termin buchen
open-link-heading = Öffnen Sie Ihren Link
open-link = Öffnen Sie den Link aus der E-Mail noch einmal, oder fügen Sie ihn hier ein.
field-token = Link oder Code aus der E-Mail
hint-token = Er steht in der E-Mail, die wir Ihnen geschickt haben.

## Warteliste
waitlist-heading = Auf die Warteliste
waitlist-about = Wir schreiben Ihnen, wenn bis { $date } eine Zeit für { $service } frei wird.
waitlist-join = Auf die Warteliste
to-times = Zurück zu den Zeiten
waiting-heading = Sie stehen auf der Warteliste
waiting-mailed = Wir haben Ihnen geschrieben. Mit dem Link in der E-Mail verlassen Sie die Warteliste.
waiting-for = { $service }, von { $from } bis { $to }
waiting-ended = Sie stehen nicht mehr auf der Warteliste
offer-heading = Eine Zeit ist für Sie frei geworden
offer-until = Sie ist bis { $at } für Sie reserviert. Danach fragen wir die Nächsten auf der Warteliste.
offer-accept = Nehmen
offer-decline = Nein, danke
offer-withdraw = Warteliste verlassen
waitlist-status-waiting = Sie warten.
waitlist-status-offered = Ihnen ist eine Zeit angeboten.
waitlist-status-booked = Sie haben eine Zeit angenommen.
waitlist-status-declined = Sie haben die Zeit abgelehnt.
waitlist-status-expired = Die reservierte Zeit wurde den Nächsten angeboten.
waitlist-status-withdrawn = Sie haben die Warteliste verlassen.

## Konto
forgotten-heading = Passwort vergessen?
forgotten-about = Wir schicken Ihnen einen Link, mit dem Sie ein neues setzen.
forgotten-submit = Link schicken
forgotten-sent-heading = Sehen Sie in Ihr Postfach
forgotten-sent = Wenn es ein Konto mit dieser Adresse gibt, kommt in einer Minute eine E-Mail.
reset-heading = Neues Passwort setzen
reset-about = Mit dem neuen Passwort werden Sie überall abgemeldet.
reset-submit = Passwort setzen
reset-again = Neuen Link holen
reset-done-heading = Ihr Passwort ist gesetzt
reset-done = Melden Sie sich von jetzt an damit an.
verify-email-heading = E-Mail-Adresse bestätigen
verify-email-about = Melden Sie sich an, um zu zeigen, dass das Konto Ihres ist.
verify-email-submit = Adresse bestätigen
verify-email-done-heading = Ihre Adresse ist bestätigt
verify-email-done = Sie können diese Seite schließen.
field-password = Passwort
field-code = Code
field-full-name = Ihr Name
hint-password = Mindestens 8 Zeichen, die schwer zu erraten sind.
hint-code = Aus Ihrer Authenticator-App, wenn Ihr Konto einen zweiten Faktor hat.
invitation-heading = Einladung annehmen
invitation-about = { $organization } lädt { $email } ein: { $role }.
invitation-account = Sie haben schon ein Konto. Geben Sie dessen Passwort ein.
invitation-no-account = Wählen Sie ein Passwort für Ihr neues Konto.
invitation-submit = Annehmen
invitation-done-heading = Sie gehören dazu
invitation-done = Sie können sich mit Ihrer E-Mail-Adresse und dem Passwort anmelden.
role-admin = Verwaltung
role-manager = Leitung
role-staff = Mitarbeit
role-viewer = nur lesen
role-customer = Kundenkonto

## Abbestellen
unsubscribe-heading = Abbestellen
unsubscribe-reminders = { $organization } erinnert Sie nicht mehr per E-Mail an Ihre Termine. E-Mails über Buchungen, Änderungen und Absagen bekommen Sie weiterhin.
unsubscribe-thanks = { $organization } dankt Ihnen nach Ihren Terminen nicht mehr per E-Mail.
unsubscribe-it = Abbestellen
unsubscribe-done-heading = Sie haben abbestellt
unsubscribe-done = Sie bekommen keine E-Mails dieser Art mehr. Wenn Sie es sich anders überlegen, sagen Sie es bitte dem Betrieb.

## Startseite
landing-heading = Termine für viele Betriebe
landing-about = appointd ist ein Server, mit dem Salons, Praxen und Büros Buchungen annehmen. Ihre Kunden buchen auf Seiten wie diesen.
landing-demo = Probieren Sie es: Buchungsseiten mit Beispieldaten
landing-programs = Für Programme
landing-programs-about = Alles, was die Seiten können, und mehr, kann die API.
landing-docs = Dokumentation der API
landing-reference = Referenz

## Probleme
heading-problem = Das hat nicht geklappt
heading-404 = Nicht gefunden
heading-401 = Der Link gilt nicht
to-booking = Zur Buchungsseite
to-front = Zur Startseite
problem-401 = Der Link ist unvollständig oder abgelaufen. Öffnen Sie den neuesten Link, den Sie haben.
problem-404 = Diese Seite gibt es nicht, oder sie wird nicht mehr gezeigt.
problem-429 = Das war zu oft. Bitte warten Sie etwas, und versuchen Sie es noch einmal.
problem-503 = Der Server ist ausgelastet. Bitte versuchen Sie es noch einmal.
problem-other = Etwas ging schief. Bitte versuchen Sie es noch einmal, oder wenden Sie sich an den Betrieb.
problem-slot_unavailable = Diese Zeit wurde gerade vergeben. Frei sind:
problem-contact_busy = Sie haben zu dieser Zeit einen anderen Termin.
problem-already_booked = Sie haben in dieser Gruppe schon einen Platz.
problem-already_waiting = Sie stehen schon auf dieser Warteliste.
problem-slots_available = Eine Zeit ist frei. Sie müssen nicht warten.
problem-hold_expired = Diese Zeit ist nicht mehr reserviert. Sie bekommen sie, wenn sie beim Buchen noch frei ist.
problem-too_late = Online kann das nicht mehr geändert werden. Bitte wenden Sie sich an den Betrieb.
problem-transition_not_allowed = Der Termin kann nicht mehr geändert werden.
problem-service_unavailable = Diese Leistung kann nicht mehr online gebucht werden. Bitte wenden Sie sich an den Betrieb.
problem-nothing_offered = Diese Zeit ist nicht mehr für Sie reserviert.
problem-guest_limit = Von hier wurde zu oft gebucht. Bitte versuchen Sie es später.
problem-too_many_holds = Gerade buchen zu viele. Bitte versuchen Sie es in einigen Minuten.
problem-mail_unavailable = Zurzeit können wir keine E-Mails schicken. Bitte wenden Sie sich an den Betrieb.
problem-foreign_form = Das Formular kam nicht von dieser Seite. Öffnen Sie die Seite neu, und senden Sie es von dort.
problem-invitation_unknown = Die Einladung wurde angenommen, zurückgezogen oder ist abgelaufen.
problem-invitation_for_another = Die Einladung gilt für eine andere E-Mail-Adresse.
problem-exclusive_membership = Ein Betrieb, für den Sie arbeiten, lässt keinen zweiten zu.
problem-email_taken = Ein Konto mit dieser Adresse gibt es. Öffnen Sie den Link noch einmal, und nehmen Sie damit an.
problem-credentials_invalid = Die E-Mail-Adresse oder das Passwort ist falsch.
problem-second_factor_required = Geben Sie den Code aus Ihrer Authenticator-App ein.
problem-second_factor_invalid = Der Code ist falsch, zu alt oder wurde schon benutzt.
problem-too_many_attempts = Zu viele Versuche. Bitte warten Sie einige Minuten.
problem-captcha_required = Dieser Server verlangt ein Captcha, das seine Seiten nicht zeigen. Bitte wenden Sie sich an den Betrieb.
