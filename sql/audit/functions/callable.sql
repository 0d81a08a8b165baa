-- error: The server, the front door or the worker may call an unknown function
--
-- Everything they can do besides reading and writing rows under policies is one of these functions. Those that
-- run as the gate run before a tenant is known, or read more than one tenant; each returns only what its caller may
-- know. What works before the caller is known, and so believes what it is told, is called at the front door, as
-- appointd_door: a statement that an attacker brings into a request must not be able to call it.

select
    f.oid::regprocedure::text as object,
    format(
        '%s may execute it, as %s',
        caller.name,
        case when f.prosecdef then f.proowner::regrole::text else 'itself' end
    ) as found,
    format('revoke execute on routine %s from %s;', f.oid::regprocedure, caller.name) as fix
from pg_proc as f
cross join (values ('appointd_api'), ('appointd_door'), ('appointd_worker')) as caller (name)
where
    f.oid >= 16384
    and has_function_privilege(coalesce(to_regrole(caller.name), 0), f.oid, 'execute')
    and not (
        caller.name = 'appointd_worker'
        and f.oid::regprocedure::text in (
            -- Enters an organization; finds those that have work.
            'app.begin_request(text,text)',
            'app.enter_worker(uuid)',
            -- Read the context.
            'app.account()',
            'app.api_key()',
            'app.context()',
            'app.role()',
            'app.subject()',
            'app.tenant()',
            'app.refuse_leftovers()',
            'app.scheduler_proof(uuid)',
            'messaging.tenants_to_publish(uuid,integer)',
            'messaging.tenants_to_wake(integer)',
            'messaging.tenants_with_jobs(text,uuid,integer)',
            'messaging.work_due()',
            'scheduling.tenants_due()',
            'tenancy.active_organizations(uuid,integer)',
            'tenancy.organizations_in_day(interval,interval)',
            -- What it does once a day in each of them.
            'tenancy.close_days()',
            'tenancy.count_message(uuid,text,boolean)',
            'tenancy.event_days()',
            'tenancy.near_limits()',
            -- Of the organization that it has entered.
            'messaging.plan_has(text)',
            'messaging.organization_name()',
            'tenancy.member_addresses(text[])',
            'messaging.maker_stands(uuid)',
            -- Regular work of the whole server.
            'identity.purge_expired()',
            'messaging.begin_tick(text,text,timestamp with time zone,boolean,interval)',
            'messaging.end_tick(text,text,boolean,interval)',
            'messaging.work_waiting()',
            'scheduling.forget_past_claims(uuid)',
            'tenancy.domains_due(integer)',
            'tenancy.note_domain(text,uuid,boolean)',
            -- What a message says, and whether it may be sent.
            'messaging.spend(text,uuid,uuid)',
            'scheduling.appointment_notice(uuid,uuid)',
            'tenancy.voice(uuid)'
        )
    )
    and not (
        caller.name = 'appointd_door'
        and f.oid::regprocedure::text in (
            -- Begin, before the caller is known or as a person.
            'app.begin_request(text,text)',
            'app.refuse_leftovers()',
            'app.enter_account(uuid,uuid,bytea,text,text)',
            -- What the link at the end of a reminder does.
            'crm.unsubscribe(uuid,uuid,text,bytea,boolean)',
            -- Sign in, and what a session and a password need.
            'identity.code_attempt(uuid)',
            'identity.sign_in(text,inet)',
            'identity.start_session(uuid,uuid,uuid,text,bytea,bytea,interval,text,inet,text,text,bigint,bytea)',
            'identity.refresh_session(uuid,uuid,bytea,bytea,bytea)',
            'identity.move_session(uuid,uuid,bytea)',
            'identity.password_of_account()',
            'identity.password_given()',
            'identity.change_password(uuid,text)',
            'identity.request_password_reset(text,bytea,interval)',
            'identity.token_email(uuid,bytea)',
            'identity.reset_password(uuid,bytea,text,inet)',
            'identity.verify_email(uuid,bytea)',
            -- Made, taken back, joined.
            'identity.register(uuid,text,text,text,uuid,text,text,text)',
            'tenancy.accept_invitation(uuid,uuid,bytea,uuid,text,text)',
            'tenancy.invitation_for(uuid,uuid,bytea)',
            'tenancy.restore_organization(uuid)',
            -- A guest, a calendar program, and what a server counts for all organizations.
            'app.guest_proof(uuid,uuid)',
            'scheduling.calendar_feed(uuid,uuid,bytea)',
            'tenancy.add_requests(uuid[],bigint[])',
            'tenancy.allowance(uuid,uuid,bytea)'
        )
    )
    and not exists (
        select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e'
    )
    and not (caller.name = 'appointd_api' and f.oid::regprocedure::text in (
        -- Enter a tenant, or an account: all of them check who asks.
        'app.begin_request(text,text)',
        'app.refuse_leftovers()',
        'app.enter(uuid,uuid,uuid,bytea,text,text,text,text)',
        'app.enter_account(uuid,uuid,bytea,text,text)',
        'app.enter_by_key(uuid,uuid,bytea,text,text,text,text,text)',
        'app.enter_guest(uuid,uuid,bytea,text,text,text)',
        'app.enter_scheduler(uuid,bytea,text)',
        'app.enter_customer(uuid,uuid,uuid,bytea,uuid,text,text,text)',
        -- Read the context, for the policies.
        'app.account()',
        'app.api_key()',
        'app.context()',
        'app.role()',
        'app.subject()',
        'app.tenant()',
        'app.has_feature(uuid,text)',
        'app.lock_key(uuid,text)',
        'app.lower_role(text,text)',
        'app.may_hand_out()',
        'app.roles_from(text)',
        'app.roles_up_to(text)',
        -- The account that has signed in.
        'identity.code_given()',
        'identity.my_memberships()',
        -- What other modules ask of a row.
        'crm.has_account(uuid)',
        'crm.own_contacts()',
        'identity.email_of(uuid)',
        -- Organizations: made, found by name or host, left.
        'tenancy.claim_domain(uuid,text[])',
        'tenancy.count_message(uuid,text,boolean)',
        'tenancy.counted(uuid,text)',
        'tenancy.create_organization(uuid,text,text,text,text,text,text[])',
        'tenancy.delete_organization(interval)',
        'tenancy.leave_organization(uuid)',
        'tenancy.near_limits()',
        'tenancy.organization_at(text)',
        'tenancy.public_face(text,text)',
        'tenancy.voice(uuid)',
        -- Counts mails.
        'messaging.spend(text,uuid,uuid)',
        'tenancy.trusts_origin(text,uuid,text,text)',
        -- A person who works for several organizations, one who waits, a calendar program.
        'scheduling.accept_provider_link(uuid,uuid)',
        'scheduling.binary_form(smallint[])',
        'scheduling.booked_names(uuid)',
        'scheduling.busy_elsewhere(uuid,timestamp with time zone,timestamp with time zone)',
        'scheduling.contact_of_guest()',
        'scheduling.count_guest_request(bytea,bytea)',
        'scheduling.cut_provider_link(uuid)',
        'scheduling.end_provider_link(uuid,uuid)',
        'scheduling.hours_of(uuid,uuid,date,date)',
        'scheduling.is_own(uuid,uuid)',
        'scheduling.my_appointments_everywhere(timestamp with time zone,uuid,timestamp with time zone,uuid,bigint,'
        'boolean,uuid[])',
        'scheduling.my_provider_links()',
        'scheduling.names_of(uuid,text[],uuid,uuid,uuid)',
        'scheduling.offer_notice(uuid)',
        'scheduling.sees_appointment(uuid)',
        'scheduling.sees_waitlist_entry(uuid)',
        'scheduling.segments_of(uuid,uuid)',
        'scheduling.take_time(uuid,jsonb,boolean,timestamp with time zone)',
        'scheduling.waiting_names(uuid)',
        'scheduling.waiting_for(timestamp with time zone[],timestamp with time zone[],timestamp with time zone,'
        'uuid,integer)'
    ))
order by 1, 2
