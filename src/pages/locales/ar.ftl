# نصوص الصفحات. لكل اللغات المفاتيح نفسها.

## الإطار
skip = انتقل إلى المحتوى
languages = اللغات
powered = الحجز عبر appointd
your-time = بتوقيتك:
optional = اختياري
go-on = متابعة
check-fields = يرجى مراجعة هذه الحقول:

## التواريخ والمبالغ
first-weekday = 6
weekday-1 = الاثنين
weekday-2 = الثلاثاء
weekday-3 = الأربعاء
weekday-4 = الخميس
weekday-5 = الجمعة
weekday-6 = السبت
weekday-7 = الأحد
weekday-short-1 = اثنين
weekday-short-2 = ثلاثاء
weekday-short-3 = أربعاء
weekday-short-4 = خميس
weekday-short-5 = جمعة
weekday-short-6 = سبت
weekday-short-7 = أحد
month-1 = يناير
month-2 = فبراير
month-3 = مارس
month-4 = أبريل
month-5 = مايو
month-6 = يونيو
month-7 = يوليو
month-8 = أغسطس
month-9 = سبتمبر
month-10 = أكتوبر
month-11 = نوفمبر
month-12 = ديسمبر
day = { $weekday }، { $day } { $month }
month-and-year = { $month } { $year }
at = { $weekday }، { $date }، { $time }
period = { $weekday }، { $date }، من { $from } إلى { $to }
am = ص
pm = م
decimal-mark = .
price-of = { $amount } { $currency }
duration-minutes = { $minutes } د
duration-hours = { $hours } س
duration-both = { $hours } س { $minutes } د
duration-days = { $days ->
    [one] يوم واحد
    [two] يومان
    [few] { $days } أيام
    [many] { $days } يومًا
   *[other] { $days } يوم
}
zone-note = المواعيد بتوقيت { $organization }: { $zone }.

## الاختيار
steps = خطوات الحجز
step-service = الخدمة
step-time = الوقت
step-details = البيانات
choose-service = كيف يمكننا خدمتك؟
no-services = لا يمكن حجز أي شيء عبر الإنترنت حاليًا.
approval = نؤكد الموعد
choose-time = اختر وقتًا
anyone = أي شخص
morning = صباحًا
afternoon = بعد الظهر
evening = مساءً
key-free = متاح
key-few = القليل متاح
times-free = { $count ->
    [one] موعد واحد متاح.
    [two] موعدان متاحان.
    [few] { $count } مواعيد متاحة.
    [many] { $count } موعدًا متاحًا.
   *[other] { $count } موعد متاح.
}
day-free = { $count ->
    [one] { $day }، موعد واحد متاح
    [two] { $day }، موعدان متاحان
    [few] { $day }، { $count } مواعيد متاحة
    [many] { $day }، { $count } موعدًا متاحًا
   *[other] { $day }، { $count } موعد متاح
}
day-none = { $day }، لا شيء متاح
month-none = لا شيء متاح في { $month }.
next-free = أقرب يوم متاح: { $day }
waitlist-invite = لا شيء يناسبك؟ انضم إلى قائمة الانتظار.
your-appointment = موعدك
service = الخدمة
with = مع
when = متى
price = السعر
notice = يمكنك تغييره أو إلغاؤه عبر الإنترنت حتى { $duration } قبله.
notice-none = يمكنك تغييره أو إلغاؤه عبر الإنترنت حتى يبدأ.

## البيانات
your-details = بياناتك
field-first-name = الاسم الأول
field-last-name = اسم العائلة
field-email = البريد الإلكتروني
field-phone = الهاتف
field-note = هل هناك ما يجب أن نعرفه؟
hint-email = نرسل إليه التأكيد مع رابط للتغيير أو الإلغاء.
hint-email-required = نرسل إليه رابطًا.
kept = هذا الوقت محجوز لك حتى { $time }.
kept-soon = هذا الوقت محجوز لك لدقيقتين أخريين.
kept-over = لم يعد هذا الوقت محجوزًا لك. تحصل عليه إن بقي متاحًا عند الحجز.
time-left = الوقت المتبقي
book-it = احجز هذا الموعد
ask-for-it = اطلب هذا الموعد
other-time = اختر وقتًا آخر
error-required = يرجى ملء هذا الحقل.
error-email = أدخل عنوان بريد إلكتروني، مثل grace@example.com.
error-name = أدخل اسمًا من دون عناوين مواقع أو بريد.
error-invalid = لا يمكن استخدام هذا هنا.
error-password = اختر كلمة مرور أطول يصعب تخمينها.
error-token = هذا الرابط غير صالح. ربما انتهت صلاحيته أو استُخدم من قبل.

## تم الحجز
heading-booked = تم حجز موعدك
heading-pending = وصلنا طلبك
mailed = أرسلنا إليك رسالة فيها رابط للتغيير أو الإلغاء.
not-mailed = احتفظ بهذه الصفحة أو أضف الموعد إلى تقويمك.
add-to-calendar = أضف إلى التقويم
move-or-cancel = تغيير أو إلغاء
status-pending = الوقت محجوز لك. سنؤكده.
status-confirmed = مؤكد
status-checked-in = لقد وصلت
status-in-progress = بدأ الموعد
status-completed = تم الموعد
status-cancelled = ملغى
status-declined = مرفوض
status-no-show = لم تحضر
changeable-until = يمكنك تغييره أو إلغاؤه حتى { $at }.
not-changeable = لم يعد من الممكن تغييره هنا. يرجى التواصل مع { $organization }.
book-again = احجز موعدًا آخر
said-moved = تم تغيير موعدك.
said-cancelled = تم إلغاء موعدك.
cancel-it = إلغاء الموعد
cancel-question = هل تريد إلغاء هذا الموعد؟
keep-it = الاحتفاظ به
field-reason = السبب
check-mail-heading = تحقق من بريدك
check-mail = افتح الرابط الذي أرسلناه إليك. عندها يصبح الحجز ساريًا.
check-mail-until = افتح قبل { $time } الرابط الذي أرسلناه إليك. عندها يصبح الحجز ساريًا.
verify-heading = أكد حجزك
verify-until = الوقت محجوز لك حتى { $time }.
verify-it = احجز هذا الموعد
open-link-heading = افتح رابطك
open-link = افتح الرابط من بريدك مرة أخرى، أو ألصقه هنا.
field-token = الرابط أو الرمز من البريد
hint-token = تجده في الرسالة التي أرسلناها إليك.

## قائمة الانتظار
waitlist-heading = انضم إلى قائمة الانتظار
waitlist-about = نراسلك إذا توفر وقت لخدمة { $service } حتى { $date }.
waitlist-join = انضم
to-times = العودة إلى المواعيد
waiting-heading = أنت على قائمة الانتظار
waiting-mailed = أرسلنا إليك رسالة فيها رابط لمغادرة القائمة.
waiting-for = { $service }، من { $from } إلى { $to }
waiting-ended = لم تعد على قائمة الانتظار
offer-heading = توفر وقت لك
offer-until = نحتفظ به لك حتى { $at }. بعدها نسأل التالي في القائمة.
offer-accept = أقبله
offer-decline = لا، شكرًا
offer-withdraw = مغادرة القائمة
waitlist-status-waiting = أنت تنتظر.
waitlist-status-offered = عُرض عليك وقت.
waitlist-status-booked = لقد قبلت وقتًا.
waitlist-status-declined = لقد رفضت الوقت.
waitlist-status-expired = عُرض الوقت المحجوز على التالي.
waitlist-status-withdrawn = لقد غادرت القائمة.

## الحساب
forgotten-heading = هل نسيت كلمة المرور؟
forgotten-about = نرسل إليك رابطًا لتعيين كلمة جديدة.
forgotten-submit = أرسل الرابط
forgotten-sent-heading = تحقق من بريدك
forgotten-sent = إن كان هناك حساب بهذا العنوان فستصله رسالة خلال دقيقة.
reset-heading = تعيين كلمة مرور جديدة
reset-about = تُغلق جلساتك كلها عند تعيين كلمة المرور الجديدة.
reset-submit = تعيين كلمة المرور
reset-again = اطلب رابطًا جديدًا
reset-done-heading = تم تعيين كلمة المرور
reset-done = استخدمها من الآن لتسجيل الدخول.
verify-email-heading = تأكيد عنوان بريدك
verify-email-about = سجّل الدخول لإثبات أن الحساب لك.
verify-email-submit = أكد العنوان
verify-email-done-heading = تم تأكيد عنوانك
verify-email-done = يمكنك إغلاق هذه الصفحة.
field-password = كلمة المرور
field-code = الرمز
field-full-name = اسمك
hint-password = ثمانية أحرف على الأقل يصعب تخمينها.
hint-code = من تطبيق المصادقة، إن كان لحسابك عامل ثانٍ.
invitation-heading = قبول الدعوة
invitation-about = يدعو { $organization } صاحب العنوان { $email }: { $role }.
invitation-account = لديك حساب. أدخل كلمة مروره.
invitation-no-account = اختر كلمة مرور لحسابك الجديد.
invitation-submit = قبول
invitation-done-heading = لقد انضممت
invitation-done = يمكنك تسجيل الدخول ببريدك وكلمة مرورك.
role-admin = إدارة
role-manager = إشراف
role-staff = فريق العمل
role-viewer = قراءة فقط
role-customer = حساب عميل

## إلغاء الاشتراك
unsubscribe-heading = إلغاء الاشتراك
unsubscribe-reminders = لن تذكّرك { $organization } بمواعيدك بالبريد الإلكتروني بعد الآن. ستظل تتلقى رسائل الحجز والتغيير والإلغاء.
unsubscribe-thanks = لن تشكرك { $organization } بالبريد الإلكتروني بعد مواعيدك.
unsubscribe-it = إلغاء الاشتراك
unsubscribe-done-heading = تم إلغاء اشتراكك
unsubscribe-done = لن تتلقى رسائل من هذا النوع بعد الآن. إذا غيّرت رأيك، فأخبر الجهة بذلك.

## الصفحة الأولى
landing-heading = مواعيد لكثير من المنشآت
landing-about = appointd خادم تستقبل به الصالونات والعيادات والمكاتب الحجوزات. يحجز عملاؤها على صفحات كهذه.
landing-demo = جرّب: صفحات حجز تجريبية
landing-programs = للبرامج
landing-programs-about = كل ما تفعله الصفحات وأكثر موجود في واجهة البرمجة.
landing-docs = توثيق واجهة البرمجة
landing-reference = المرجع

## المشكلات
heading-problem = لم ينجح ذلك
heading-404 = غير موجود
heading-401 = الرابط غير صالح
to-booking = إلى صفحة الحجز
to-front = إلى الصفحة الأولى
problem-401 = الرابط ناقص أو انتهت صلاحيته. افتح أحدث رابط لديك.
problem-404 = هذه الصفحة غير موجودة أو لم تعد تُعرض.
problem-429 = محاولات كثيرة. انتظر قليلًا ثم أعد المحاولة.
problem-503 = الخادم مشغول. أعد المحاولة.
problem-other = حدث خطأ. أعد المحاولة أو تواصل مع المنشأة.
problem-slot_unavailable = حُجز هذا الوقت للتو. هذه متاحة:
problem-contact_busy = لديك موعد آخر في هذا الوقت.
problem-already_booked = لديك مكان في هذه الجلسة.
problem-already_waiting = أنت على هذه القائمة.
problem-slots_available = هناك وقت متاح. لا داعي للانتظار.
problem-hold_expired = لم يعد هذا الوقت محجوزًا لك. تحصل عليه إن بقي متاحًا عند الحجز.
problem-too_late = فات أوان التغيير عبر الإنترنت. يرجى التواصل مع المنشأة.
problem-transition_not_allowed = لم يعد من الممكن تغيير الموعد.
problem-service_unavailable = لم تعد هذه الخدمة تُحجز عبر الإنترنت. يرجى التواصل مع المنشأة.
problem-nothing_offered = لم يعد هذا الوقت محجوزًا لك.
problem-guest_limit = حجوزات كثيرة من هنا. أعد المحاولة لاحقًا.
problem-too_many_holds = يحجز كثيرون الآن. أعد المحاولة بعد دقائق.
problem-mail_unavailable = لا يمكننا إرسال الرسائل حاليًا. يرجى التواصل مع المنشأة.
problem-foreign_form = لم يأت النموذج من هذه الصفحة. افتح الصفحة مرة أخرى وأرسله منها.
problem-invitation_unknown = قُبلت الدعوة أو سُحبت أو انتهت صلاحيتها.
problem-invitation_for_another = الدعوة لعنوان بريد آخر.
problem-exclusive_membership = منشأة تعمل لديها لا تسمح بعضوية أخرى.
problem-email_taken = هناك حساب بهذا العنوان. افتح الرابط مرة أخرى واقبل به.
problem-credentials_invalid = عنوان البريد أو كلمة المرور غير صحيح.
problem-second_factor_required = أدخل الرمز من تطبيق المصادقة.
problem-second_factor_invalid = الرمز غير صحيح أو قديم أو استُخدم من قبل.
problem-too_many_attempts = محاولات كثيرة. انتظر بضع دقائق.
problem-captcha_required = يطلب هذا الخادم اختبارًا لا تعرضه صفحاته. يرجى التواصل مع المنشأة.
