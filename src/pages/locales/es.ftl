# Los textos de las páginas. Todos los idiomas tienen las mismas claves.

## Marco
skip = Ir al contenido
languages = Idiomas
powered = Reservas con appointd
your-time = su hora:
optional = opcional
go-on = Continuar
check-fields = Revise estos campos:

## Fechas e importes
first-weekday = 1
weekday-1 = lunes
weekday-2 = martes
weekday-3 = miércoles
weekday-4 = jueves
weekday-5 = viernes
weekday-6 = sábado
weekday-7 = domingo
weekday-short-1 = lun
weekday-short-2 = mar
weekday-short-3 = mié
weekday-short-4 = jue
weekday-short-5 = vie
weekday-short-6 = sáb
weekday-short-7 = dom
month-1 = enero
month-2 = febrero
month-3 = marzo
month-4 = abril
month-5 = mayo
month-6 = junio
month-7 = julio
month-8 = agosto
month-9 = septiembre
month-10 = octubre
month-11 = noviembre
month-12 = diciembre
day = { $weekday }, { $day } de { $month }
month-and-year = { $month } de { $year }
at = { $weekday }, { $date }, { $time }
period = { $weekday }, { $date }, de { $from } a { $to }
am = a. m.
pm = p. m.
decimal-mark = ,
price-of = { $amount } { $currency }
duration-minutes = { $minutes } min
duration-hours = { $hours } h
duration-both = { $hours } h { $minutes } min
duration-days = { $days ->
    [one] { $days } día
   *[other] { $days } días
}
zone-note = Las horas son las de { $organization }: { $zone }.

## Elegir
steps = Pasos de la reserva
step-service = Servicio
step-time = Hora
step-details = Datos
choose-service = ¿Qué podemos hacer por usted?
no-services = En este momento no se puede reservar nada en línea.
approval = lo confirmamos nosotros
choose-time = Elija una hora
anyone = Cualquiera
morning = Mañana
afternoon = Tarde
evening = Noche
key-free = libre
key-few = casi completo
times-free = { $count ->
    [one] Una hora libre.
   *[other] { $count } horas libres.
}
day-free = { $count ->
    [one] { $day }, una hora libre
   *[other] { $day }, { $count } horas libres
}
day-none = { $day }, nada libre
month-none = No hay nada libre en { $month }.
next-free = Próximo día libre: { $day }
waitlist-invite = ¿Nada le conviene? Apúntese a la lista de espera.
your-appointment = Su cita
service = Servicio
with = Con
when = Cuándo
price = Precio
notice = Puede cambiarla o cancelarla en línea hasta { $duration } antes.
notice-none = Puede cambiarla o cancelarla en línea hasta que empiece.

## Datos
your-details = Sus datos
field-first-name = Nombre
field-last-name = Apellidos
field-email = Correo electrónico
field-phone = Teléfono
field-note = ¿Debemos saber algo?
hint-email = Allí enviamos la confirmación, con un enlace para cambiar o cancelar.
hint-email-required = Allí enviamos un enlace.
kept = Le guardamos esta hora hasta las { $time }.
kept-soon = Le guardamos esta hora dos minutos más.
kept-over = Ya no le guardamos esta hora. Será suya si sigue libre cuando reserve.
time-left = Tiempo restante
book-it = Reservar esta cita
ask-for-it = Solicitar esta cita
other-time = Elegir otra hora
error-required = Rellene este campo.
error-email = Escriba una dirección de correo, como grace@example.com.
error-name = Escriba un nombre, sin direcciones web ni de correo.
error-invalid = Esto no sirve aquí.
error-password = Elija una contraseña más larga y difícil de adivinar.
error-token = Este enlace no es válido. Puede que haya caducado o ya se haya usado.

## Reservada
heading-booked = Su cita está reservada
heading-pending = Tenemos su solicitud
mailed = Le hemos escrito. El correo tiene un enlace para cambiar o cancelar.
not-mailed = Guarde esta página, o añada la cita a su calendario.
add-to-calendar = Añadir al calendario
move-or-cancel = Cambiar o cancelar
status-pending = La hora está reservada para usted. Se la confirmaremos.
status-confirmed = Confirmada
status-checked-in = Ha llegado
status-in-progress = Ha empezado
status-completed = Ha tenido lugar
status-cancelled = Cancelada
status-declined = Rechazada
status-no-show = No acudió
changeable-until = Puede cambiarla o cancelarla hasta el { $at }.
not-changeable = Ya no se puede cambiar aquí. Póngase en contacto con { $organization }.
book-again = Reservar otra cita
said-moved = Su cita se ha cambiado.
said-cancelled = Su cita se ha cancelado.
cancel-it = Cancelar la cita
cancel-question = ¿Cancelar esta cita?
keep-it = Conservarla
field-reason = Motivo
check-mail-heading = Mire su correo
check-mail = Abra el enlace que le hemos enviado. Entonces quedará reservada.
check-mail-until = Abra antes de las { $time } el enlace que le hemos enviado. Entonces quedará reservada.
verify-heading = Confirme su reserva
verify-until = Le guardamos la hora hasta las { $time }.
verify-it = Reservar esta cita
open-link-heading = Abra su enlace
open-link = Abra otra vez el enlace del correo, o péguelo aquí.
field-token = Enlace o código del correo
hint-token = Está en el correo que le enviamos.

## Lista de espera
waitlist-heading = Apuntarse a la lista de espera
waitlist-about = Le escribimos si hasta el { $date } queda libre una hora para { $service }.
waitlist-join = Apuntarse
to-times = Volver a las horas
waiting-heading = Está en la lista de espera
waiting-mailed = Le hemos escrito. El correo tiene un enlace para salir de la lista de espera.
waiting-for = { $service }, del { $from } al { $to }
waiting-ended = Ya no está en la lista de espera
offer-heading = Ha quedado libre una hora para usted
offer-until = Se la guardamos hasta el { $at }. Después preguntamos al siguiente.
offer-accept = Aceptarla
offer-decline = No, gracias
offer-withdraw = Salir de la lista de espera
waitlist-status-waiting = Está esperando.
waitlist-status-offered = Se le ofrece una hora.
waitlist-status-booked = Ha aceptado una hora.
waitlist-status-declined = Ha rechazado la hora.
waitlist-status-expired = La hora que le guardábamos se ha ofrecido al siguiente.
waitlist-status-withdrawn = Ha salido de la lista de espera.

## Cuenta
forgotten-heading = ¿Ha olvidado su contraseña?
forgotten-about = Le enviamos un enlace para poner una nueva.
forgotten-submit = Enviar el enlace
forgotten-sent-heading = Mire su correo
forgotten-sent = Si hay una cuenta con esta dirección, recibirá un correo en un minuto.
reset-heading = Poner una contraseña nueva
reset-about = Con la contraseña nueva se cierran todas sus sesiones.
reset-submit = Guardar la contraseña
reset-again = Pedir otro enlace
reset-done-heading = Su contraseña está guardada
reset-done = Úsela a partir de ahora para entrar.
verify-email-heading = Confirmar su correo
verify-email-about = Entre en su cuenta para mostrar que es suya.
verify-email-submit = Confirmar la dirección
verify-email-done-heading = Su dirección está confirmada
verify-email-done = Puede cerrar esta página.
field-password = Contraseña
field-code = Código
field-full-name = Su nombre
hint-password = Al menos 8 caracteres difíciles de adivinar.
hint-code = De su aplicación de autenticación, si su cuenta tiene un segundo factor.
invitation-heading = Aceptar la invitación
invitation-about = { $organization } invita a { $email }: { $role }.
invitation-account = Ya tiene una cuenta. Escriba su contraseña.
invitation-no-account = Elija una contraseña para su cuenta nueva.
invitation-submit = Aceptar
invitation-done-heading = Ya forma parte
invitation-done = Puede entrar con su correo y su contraseña.
role-admin = administración
role-manager = dirección
role-staff = equipo
role-viewer = solo lectura
role-customer = cuenta de cliente

## Darse de baja
unsubscribe-heading = Darse de baja
unsubscribe-reminders = { $organization } dejará de recordarle sus citas por correo. Seguirá recibiendo correos sobre reservas, cambios y cancelaciones.
unsubscribe-thanks = { $organization } dejará de darle las gracias por correo después de sus citas.
unsubscribe-it = Darse de baja
unsubscribe-done-heading = Se ha dado de baja
unsubscribe-done = No recibirá más correos de este tipo. Si cambia de opinión, avise al establecimiento.

## Portada
landing-heading = Citas para muchos negocios
landing-about = appointd es un servidor con el que salones, clínicas y oficinas reciben reservas. Sus clientes reservan en páginas como estas.
landing-demo = Pruebe: páginas de reserva de demostración
landing-programs = Para programas
landing-programs-about = Todo lo que hacen las páginas, y más, está en la API.
landing-docs = Documentación de la API
landing-reference = Referencia

## Problemas
heading-problem = No ha funcionado
heading-404 = No se ha encontrado
heading-401 = El enlace no es válido
to-booking = A la página de reservas
to-front = A la portada
problem-401 = El enlace está incompleto o ha caducado. Abra el último enlace que tenga.
problem-404 = Esta página no existe, o ya no se muestra.
problem-429 = Demasiadas veces. Espere un poco e inténtelo de nuevo.
problem-503 = El servidor está ocupado. Inténtelo de nuevo.
problem-other = Algo ha fallado. Inténtelo de nuevo, o póngase en contacto con el negocio.
problem-slot_unavailable = Esta hora se acaba de ocupar. Estas están libres:
problem-contact_busy = Tiene otra cita a esta hora.
problem-already_booked = Ya tiene una plaza en esta sesión.
problem-already_waiting = Ya está en esta lista de espera.
problem-slots_available = Hay una hora libre. No hace falta esperar.
problem-hold_expired = Ya no le guardamos esta hora. Será suya si sigue libre cuando reserve.
problem-too_late = Es tarde para cambiarla en línea. Póngase en contacto con el negocio.
problem-transition_not_allowed = La cita ya no se puede cambiar.
problem-service_unavailable = Este servicio ya no se reserva en línea. Póngase en contacto con el negocio.
problem-nothing_offered = Ya no le guardamos esta hora.
problem-guest_limit = Se han hecho demasiadas reservas desde aquí. Inténtelo más tarde.
problem-too_many_holds = Hay demasiadas personas reservando. Inténtelo en unos minutos.
problem-mail_unavailable = Ahora no podemos enviar correos. Póngase en contacto con el negocio.
problem-foreign_form = El formulario no viene de esta página. Abra la página otra vez y envíelo desde allí.
problem-invitation_unknown = La invitación se aceptó, se retiró o ha caducado.
problem-invitation_for_another = La invitación es para otra dirección de correo.
problem-exclusive_membership = Un negocio para el que trabaja no permite ningún otro.
problem-email_taken = Ya hay una cuenta con esta dirección. Abra el enlace otra vez y acepte con ella.
problem-credentials_invalid = La dirección de correo o la contraseña no es correcta.
problem-second_factor_required = Escriba el código de su aplicación de autenticación.
problem-second_factor_invalid = El código no es correcto, es antiguo o ya se usó.
problem-too_many_attempts = Demasiados intentos. Espere unos minutos.
problem-captcha_required = Este servidor pide un captcha que sus páginas no muestran. Póngase en contacto con el negocio.
