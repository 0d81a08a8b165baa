# Les textes des pages. Toutes les langues ont les mêmes clés.

## Cadre
skip = Aller au contenu
languages = Langues
powered = Réservation par appointd
your-time = votre heure :
optional = facultatif
go-on = Continuer
check-fields = Veuillez vérifier ces champs :

## Dates et montants
first-weekday = 1
weekday-1 = lundi
weekday-2 = mardi
weekday-3 = mercredi
weekday-4 = jeudi
weekday-5 = vendredi
weekday-6 = samedi
weekday-7 = dimanche
weekday-short-1 = lun.
weekday-short-2 = mar.
weekday-short-3 = mer.
weekday-short-4 = jeu.
weekday-short-5 = ven.
weekday-short-6 = sam.
weekday-short-7 = dim.
month-1 = janvier
month-2 = février
month-3 = mars
month-4 = avril
month-5 = mai
month-6 = juin
month-7 = juillet
month-8 = août
month-9 = septembre
month-10 = octobre
month-11 = novembre
month-12 = décembre
day = { $weekday } { $day } { $month }
month-and-year = { $month } { $year }
at = { $weekday } { $date }, { $time }
period = { $weekday } { $date }, de { $from } à { $to }
am = du matin
pm = de l’après-midi
decimal-mark = ,
price-of = { $amount } { $currency }
duration-minutes = { $minutes } min
duration-hours = { $hours } h
duration-both = { $hours } h { $minutes } min
duration-days = { $days ->
    [one] { $days } jour
   *[other] { $days } jours
}
zone-note = Les heures sont celles de { $organization } : { $zone }.

## Choisir
steps = Étapes de la réservation
step-service = Prestation
step-time = Horaire
step-details = Coordonnées
choose-service = Que pouvons-nous faire pour vous ?
no-services = Rien ne peut être réservé en ligne pour le moment.
approval = à confirmer par nos soins
choose-time = Choisissez un horaire
anyone = Peu importe
morning = Matin
afternoon = Après-midi
evening = Soir
key-free = libre
key-few = presque complet
times-free = { $count ->
    [one] Un horaire libre.
   *[other] { $count } horaires libres.
}
day-free = { $count ->
    [one] { $day }, un horaire libre
   *[other] { $day }, { $count } horaires libres
}
day-none = { $day }, rien de libre
month-none = Rien de libre en { $month }.
next-free = Prochain jour libre : { $day }
waitlist-invite = Rien ne convient ? Inscrivez-vous sur la liste d’attente.
your-appointment = Votre rendez-vous
service = Prestation
with = Avec
when = Quand
price = Prix
notice = Vous pouvez le déplacer ou l’annuler en ligne jusqu’à { $duration } avant.
notice-none = Vous pouvez le déplacer ou l’annuler en ligne jusqu’à son début.

## Coordonnées
your-details = Vos coordonnées
field-first-name = Prénom
field-last-name = Nom
field-email = E-mail
field-phone = Téléphone
field-note = Quelque chose à nous dire ?
hint-email = Nous y envoyons la confirmation, avec un lien pour déplacer ou annuler.
hint-email-required = Nous y envoyons un lien.
kept = Cet horaire vous est réservé jusqu’à { $time }.
kept-soon = Cet horaire vous est réservé deux minutes encore.
kept-over = Cet horaire ne vous est plus réservé. Vous l’aurez s’il est encore libre quand vous réservez.
time-left = Temps restant
book-it = Réserver ce rendez-vous
ask-for-it = Demander ce rendez-vous
other-time = Choisir un autre horaire
error-required = Veuillez remplir ce champ.
error-email = Indiquez une adresse e-mail, comme grace@example.com.
error-name = Indiquez un nom, sans adresse web ni e-mail.
error-invalid = Cela ne peut pas être utilisé ici.
error-password = Choisissez un mot de passe plus long, difficile à deviner.
error-token = Ce lien n’est pas valable. Il a peut-être expiré ou déjà servi.

## Réservé
heading-booked = Votre rendez-vous est réservé
heading-pending = Nous avons votre demande
mailed = Nous vous avons écrit. L’e-mail contient un lien pour déplacer ou annuler.
not-mailed = Gardez cette page, ou ajoutez le rendez-vous à votre agenda.
add-to-calendar = Ajouter à l’agenda
move-or-cancel = Déplacer ou annuler
status-pending = L’horaire vous est réservé. Nous allons le confirmer.
status-confirmed = Confirmé
status-checked-in = Vous êtes arrivé
status-in-progress = Il a commencé
status-completed = Il a eu lieu
status-cancelled = Annulé
status-declined = Refusé
status-no-show = Manqué
changeable-until = Vous pouvez le déplacer ou l’annuler jusqu’au { $at }.
not-changeable = Il ne peut plus être modifié ici. Veuillez contacter { $organization }.
book-again = Réserver un autre rendez-vous
said-moved = Votre rendez-vous a été déplacé.
said-cancelled = Votre rendez-vous a été annulé.
cancel-it = Annuler le rendez-vous
cancel-question = Annuler ce rendez-vous ?
keep-it = Le garder
field-reason = Raison
check-mail-heading = Consultez vos e-mails
check-mail = Ouvrez le lien que nous vous avons envoyé. La réservation prend alors effet.
check-mail-until = Ouvrez d’ici { $time } le lien que nous vous avons envoyé. La réservation prend alors effet.
verify-heading = Confirmez votre réservation
verify-until = L’horaire vous est réservé jusqu’à { $time }.
verify-it = Réserver ce rendez-vous
open-link-heading = Ouvrez votre lien
open-link = Ouvrez de nouveau le lien de votre e-mail, ou collez-le ici.
field-token = Lien ou code de l’e-mail
hint-token = Il est dans l’e-mail que nous vous avons envoyé.

## Liste d’attente
waitlist-heading = S’inscrire sur la liste d’attente
waitlist-about = Nous vous écrivons si un horaire pour { $service } se libère d’ici le { $date }.
waitlist-join = S’inscrire
to-times = Retour aux horaires
waiting-heading = Vous êtes sur la liste d’attente
waiting-mailed = Nous vous avons écrit. L’e-mail contient un lien pour quitter la liste d’attente.
waiting-for = { $service }, du { $from } au { $to }
waiting-ended = Vous n’êtes plus sur la liste d’attente
offer-heading = Un horaire s’est libéré pour vous
offer-until = Nous vous le réservons jusqu’au { $at }. Ensuite, nous demandons au suivant.
offer-accept = Le prendre
offer-decline = Non, merci
offer-withdraw = Quitter la liste d’attente
waitlist-status-waiting = Vous attendez.
waitlist-status-offered = Un horaire vous est proposé.
waitlist-status-booked = Vous avez pris un horaire.
waitlist-status-declined = Vous avez refusé l’horaire.
waitlist-status-expired = L’horaire réservé a été proposé au suivant.
waitlist-status-withdrawn = Vous avez quitté la liste d’attente.

## Compte
forgotten-heading = Mot de passe oublié ?
forgotten-about = Nous vous envoyons un lien pour en choisir un nouveau.
forgotten-submit = Envoyer le lien
forgotten-sent-heading = Consultez vos e-mails
forgotten-sent = Si un compte a cette adresse, un e-mail arrive dans la minute.
reset-heading = Choisir un nouveau mot de passe
reset-about = Avec le nouveau mot de passe, vous êtes déconnecté partout.
reset-submit = Enregistrer le mot de passe
reset-again = Demander un nouveau lien
reset-done-heading = Votre mot de passe est enregistré
reset-done = Utilisez-le désormais pour vous connecter.
verify-email-heading = Confirmer votre adresse e-mail
verify-email-about = Connectez-vous pour montrer que ce compte est le vôtre.
verify-email-submit = Confirmer l’adresse
verify-email-done-heading = Votre adresse est confirmée
verify-email-done = Vous pouvez fermer cette page.
field-password = Mot de passe
field-code = Code
field-full-name = Votre nom
hint-password = Au moins 8 caractères, difficiles à deviner.
hint-code = De votre application d’authentification, si votre compte a un second facteur.
invitation-heading = Accepter l’invitation
invitation-about = { $organization } invite { $email } : { $role }.
invitation-account = Vous avez déjà un compte. Indiquez son mot de passe.
invitation-no-account = Choisissez un mot de passe pour votre nouveau compte.
invitation-submit = Accepter
invitation-done-heading = Bienvenue
invitation-done = Vous pouvez vous connecter avec votre adresse e-mail et votre mot de passe.
role-admin = administration
role-manager = direction
role-staff = équipe
role-viewer = lecture seule
role-customer = compte client

## Désabonnement
unsubscribe-heading = Se désabonner
unsubscribe-reminders = { $organization } ne vous rappellera plus vos rendez-vous par e-mail. Vous recevrez toujours les e-mails concernant les réservations, les changements et les annulations.
unsubscribe-thanks = { $organization } ne vous remerciera plus par e-mail après vos rendez-vous.
unsubscribe-it = Se désabonner
unsubscribe-done-heading = Vous êtes désabonné
unsubscribe-done = Vous ne recevrez plus d’e-mails de ce type. Si vous changez d’avis, dites-le à l’établissement.

## Accueil
landing-heading = Des rendez-vous pour de nombreux établissements
landing-about = appointd est un serveur avec lequel salons, cabinets et bureaux prennent des réservations. Leurs clients réservent sur des pages comme celles-ci.
landing-demo = Essayez : pages de réservation de démonstration
landing-programs = Pour les programmes
landing-programs-about = Tout ce que font les pages, et plus encore, est dans l’API.
landing-docs = Documentation de l’API
landing-reference = Référence

## Problèmes
heading-problem = Cela n’a pas fonctionné
heading-404 = Page introuvable
heading-401 = Le lien n’est pas valable
to-booking = Vers la réservation
to-front = Vers l’accueil
problem-401 = Le lien est incomplet ou a expiré. Ouvrez le dernier lien que vous avez.
problem-404 = Cette page n’existe pas, ou n’est plus affichée.
problem-429 = C’était trop souvent. Patientez un peu, puis réessayez.
problem-503 = Le serveur est occupé. Veuillez réessayer.
problem-other = Quelque chose n’a pas fonctionné. Réessayez, ou contactez l’établissement.
problem-slot_unavailable = Cet horaire vient d’être pris. Ceux-ci sont libres :
problem-contact_busy = Vous avez un autre rendez-vous à cette heure.
problem-already_booked = Vous avez déjà une place dans cette séance.
problem-already_waiting = Vous êtes déjà sur cette liste d’attente.
problem-slots_available = Un horaire est libre. Inutile d’attendre.
problem-hold_expired = Cet horaire ne vous est plus réservé. Vous l’aurez s’il est encore libre quand vous réservez.
problem-too_late = Il est trop tard pour le modifier en ligne. Veuillez contacter l’établissement.
problem-transition_not_allowed = Le rendez-vous ne peut plus être modifié.
problem-service_unavailable = Cette prestation ne peut plus être réservée en ligne. Veuillez contacter l’établissement.
problem-nothing_offered = Cet horaire ne vous est plus réservé.
problem-guest_limit = Trop de réservations ont été faites d’ici. Réessayez plus tard.
problem-too_many_holds = Trop de personnes réservent en ce moment. Réessayez dans quelques minutes.
problem-mail_unavailable = Nous ne pouvons pas envoyer d’e-mails pour le moment. Veuillez contacter l’établissement.
problem-foreign_form = Le formulaire ne vient pas de cette page. Ouvrez la page de nouveau, et envoyez-le de là.
problem-invitation_unknown = L’invitation a été acceptée, retirée, ou a expiré.
problem-invitation_for_another = L’invitation est pour une autre adresse e-mail.
problem-exclusive_membership = Un établissement pour lequel vous travaillez n’en permet pas d’autre.
problem-email_taken = Un compte a déjà cette adresse. Ouvrez de nouveau le lien, et acceptez avec lui.
problem-credentials_invalid = L’adresse e-mail ou le mot de passe est faux.
problem-second_factor_required = Indiquez le code de votre application d’authentification.
problem-second_factor_invalid = Le code est faux, trop ancien ou a déjà servi.
problem-too_many_attempts = Trop d’essais. Patientez quelques minutes.
problem-captcha_required = Ce serveur demande un captcha, que ses pages n’affichent pas. Veuillez contacter l’établissement.
