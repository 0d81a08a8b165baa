-- Tasks: what members have to do, with tags, links to what it is about, a checklist and comments.
--
-- The feature `tasks` of the plan is asked for by the policies as well as by the operations: a statement that an
-- operation sends without asking for it sees no row.

create schema work;
comment on schema work is 'Tasks of members.';
grant usage on schema work to appointd_api, appointd_auditor, appointd_gate;

-- The feature -----------------------------------------------------------------------------------------------------

create procedure app.require_feature(relation regclass, feature text)
language plpgsql
as $$
begin
    execute format(
        'create policy plan_feature on %s as restrictive for all to appointd_api '
        'using ((select app.has_feature('
        '(select app.tenant()), %L'
        ')))',
        relation, feature
    );
end
$$;

comment on procedure app.require_feature(regclass, text) is
    'Closes a table to the server while the plan of the organization lacks a feature, or the organization has switched '
    'it off. The rows are kept. Asked once for each statement.';
revoke execute on procedure app.require_feature(regclass, text) from public;

-- The owner is subject to the policies too, and has none to insert by.
alter table tenancy.features no force row level security;
alter table tenancy.plan_features no force row level security;
insert into tenancy.features (feature, description) values ('tasks', 'Tasks of members, with checklists and comments');
insert into tenancy.plan_features (plan_type, feature)
values ('basic', 'tasks'), ('pro', 'tasks'), ('enterprise', 'tasks');
alter table tenancy.features force row level security;
alter table tenancy.plan_features force row level security;

-- Tasks -----------------------------------------------------------------------------------------------------------

create table work.tasks (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    title text not null,
    description text,
    status text not null default 'todo',
    priority text not null default 'medium',
    assignee_id uuid,
    due_on date,
    completed_at timestamptz,
    board_position bigint not null,
    repeat_frequency text,
    repeat_every smallint,
    repeat_from text,
    repeat_day smallint,
    follows_id uuid,
    created_by uuid default coalesce(app.account(), app.api_key()),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint tasks_pkey primary key (tenant_id, id),
    constraint tasks_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint tasks_assignee_fkey foreign key (tenant_id, assignee_id)
        references tenancy.members (tenant_id, account_id) on delete set null (assignee_id),
    -- Deferred: an import adds tasks in any order.
    constraint tasks_follows_fkey foreign key (tenant_id, follows_id)
        references work.tasks (tenant_id, id) on delete set null (follows_id) deferrable initially deferred,
    -- Of those who complete a task at the same time, one makes the next one.
    constraint tasks_follows_key unique (tenant_id, follows_id),
    constraint tasks_title_length check (length(title) between 1 and 200),
    constraint tasks_description_length check (length(description) between 1 and 10000),
    constraint tasks_status check (status in ('todo', 'in_progress', 'done')),
    constraint tasks_priority check (priority in ('low', 'medium', 'high')),
    constraint tasks_completed check ((status = 'done') = (completed_at is not null)),
    -- What a cursor can say.
    constraint tasks_board_position check (board_position > 0 and board_position < 36028797018963968),
    constraint tasks_repeat check (num_nonnulls(repeat_frequency, repeat_every, repeat_from, repeat_day) in (0, 4)),
    constraint tasks_repeat_due check (repeat_frequency is null or due_on is not null),
    constraint tasks_repeat_frequency check (repeat_frequency in ('daily', 'weekly', 'monthly')),
    constraint tasks_repeat_every check (repeat_every between 1 and 52),
    constraint tasks_repeat_from check (repeat_from in ('due', 'completion')),
    constraint tasks_repeat_day check (repeat_day between 1 and 31)
)
-- Rows change all day: vacuum after 2 % of them, not 20 %.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

comment on table work.tasks is 'What members have to do.';
comment on column work.tasks.id is 'UUIDv7, so that the order of ids is the order of creation.';
comment on column work.tasks.title is 'What is to be done, 1 to 200 characters.';
comment on column work.tasks.description is 'More about it, 1 to 10,000 characters; null: nothing.';
comment on column work.tasks.status is 'todo, in_progress or done: the column of the board.';
comment on column work.tasks.priority is 'low, medium or high.';
comment on column work.tasks.assignee_id is 'The member who has to do it; null: no one, or the member has left.';
comment on column work.tasks.due_on is
    'The last day on which it is in time, in the time zone of the organization; null: none.';
comment on column work.tasks.completed_at is 'When its status became done; null: it is not done.';
comment on column work.tasks.board_position is
    'Order in its column of the board, then id. A task that goes to the end has the instant in microseconds since '
    '1970, or a greater number; one that is moved between two others has a number between theirs. Moves of one '
    'organization wait for each other (sql/queries/work/board_lock.sql), so that no two go by the same neighbours.';
comment on column work.tasks.repeat_frequency is
    'daily, weekly or monthly: how often it is to be done again; null: once.';
comment on column work.tasks.repeat_every is 'Interval of the repetition in days, weeks or months, 1 to 52.';
comment on column work.tasks.repeat_from is
    'due: the next one is due an interval after this was due; completion: after the day on which it was done.';
comment on column work.tasks.repeat_day is
    'Day of the month on which the first task was due: after the 28th of February the next one is due on the 31st '
    'again.';
comment on column work.tasks.follows_id is 'The task after whose completion this one was made; null: none.';
comment on column work.tasks.created_by is
    'The account or API key that made it; null: the system. Filled from the context.';
comment on column work.tasks.created_at is 'When it was made.';
comment on column work.tasks.updated_at is
    'When the task, its tags, its links or its checklist last changed. Its place on the board does not count.';
comment on constraint tasks_follows_key on work.tasks is 'After the completion of a task one next task is made.';

create index tasks_board_idx on work.tasks (tenant_id, status, board_position, id);
create index tasks_assignee_idx on work.tasks (tenant_id, assignee_id, id);
create index tasks_due_idx on work.tasks (tenant_id, due_on) where due_on is not null;
create index tasks_updated_idx on work.tasks (tenant_id, updated_at);

call app.build_wall('work.tasks', reads => 'viewer', inserts => 'staff', updates => 'staff', deletes => 'staff');
call app.require_feature('work.tasks', 'tasks');
call app.admit('work.tasks', 'appointd_owner', array['all']);
call operations.audit('work.tasks');
call app.date_changes('work.tasks');
call messaging.publish('work.tasks', 'task', leaves_out => '{board_position}');
create trigger record_deletion after delete on work.tasks
for each row execute function operations.record_deletion('task');

grant
    select,
    insert (
        id, title, description, status, priority, assignee_id, due_on, completed_at, board_position, repeat_frequency,
        repeat_every, repeat_from, repeat_day, follows_id
    ),
    update (
        title, description, status, priority, assignee_id, due_on, completed_at, board_position, repeat_frequency,
        repeat_every, repeat_from, repeat_day, updated_at
    ),
    delete
on work.tasks to appointd_api;

grant create on schema work to appointd_gate;
set local role appointd_gate;

create function work.record_assigned() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Those who assign a task to themselves know it.
    if new.assignee_id = app.account() then
        return null;
    end if;
    perform messaging.emit(
        'task.assigned', 'viewer', new.tenant_id, new.id, to_jsonb(new) - array['tenant_id', 'board_position'],
        case when tg_op = 'UPDATE' then jsonb_build_object('assignee_id', old.assignee_id) end
    );
    return null;
end
$$;

comment on function work.record_assigned() is
    'Trigger, after a task was assigned to a member who did not do it themselves: writes the event task.assigned.';

-- The role that makes a trigger must be allowed to call its function.
grant execute on function work.record_assigned() to appointd_owner;
reset role;
revoke create on schema work from appointd_gate;

-- Triggers run in the order of their names: after record_event, so that a task is created before it is assigned.
create trigger record_event_assigned_insert after insert on work.tasks
for each row when (new.assignee_id is not null) execute function work.record_assigned();
create trigger record_event_assigned_update after update of assignee_id on work.tasks
for each row when (new.assignee_id is not null and new.assignee_id is distinct from old.assignee_id)
execute function work.record_assigned();


-- What a foreign key takes from a task changes the task, for programs that list it since its last change.
create trigger touch before update of assignee_id, follows_id on work.tasks
for each row when (
    new.assignee_id is distinct from old.assignee_id or new.follows_id is distinct from old.follows_id
)
execute function app.touch();


create table work.task_tags (
    tenant_id uuid not null default app.tenant(),
    task_id uuid not null,
    tag text not null,
    constraint task_tags_pkey primary key (tenant_id, task_id, tag),
    constraint task_tags_task_fkey foreign key (tenant_id, task_id)
        references work.tasks (tenant_id, id) on delete cascade,
    constraint task_tags_length check (length(tag) between 1 and 50)
);

comment on table work.task_tags is
    'Tags of tasks. A table, because under policies no index serves the comparison of arrays.';
comment on column work.task_tags.task_id is 'The task.';
comment on column work.task_tags.tag is 'The tag, 1 to 50 characters.';

create index task_tags_tag_idx on work.task_tags (tenant_id, tag, task_id);

call app.build_wall('work.task_tags', reads => 'viewer', inserts => 'staff', deletes => 'staff');
call app.require_feature('work.task_tags', 'tasks');
call app.admit('work.task_tags', 'appointd_owner', array['all']);
call operations.audit('work.task_tags');

grant select, insert (task_id, tag), delete on work.task_tags to appointd_api;


create table work.task_links (
    tenant_id uuid not null default app.tenant(),
    task_id uuid not null,
    record_id uuid not null generated always as (
        coalesce(contact_id, appointment_id, service_id, provider_id)
    ) stored,
    kind text not null generated always as (
        case
            when contact_id is not null then 'contact'
            when appointment_id is not null then 'appointment'
            when service_id is not null then 'service'
            else 'provider'
        end
    ) stored,
    contact_id uuid,
    appointment_id uuid,
    service_id uuid,
    provider_id uuid,
    constraint task_links_pkey primary key (tenant_id, task_id, record_id),
    constraint task_links_task_fkey foreign key (tenant_id, task_id)
        references work.tasks (tenant_id, id) on delete cascade,
    constraint task_links_contact_fkey foreign key (tenant_id, contact_id)
        references crm.contacts (tenant_id, id) on delete cascade,
    constraint task_links_appointment_fkey foreign key (tenant_id, appointment_id)
        references scheduling.appointments (tenant_id, id) on delete cascade,
    constraint task_links_service_fkey foreign key (tenant_id, service_id)
        references scheduling.services (tenant_id, id) on delete cascade,
    constraint task_links_provider_fkey foreign key (tenant_id, provider_id)
        references scheduling.providers (tenant_id, id) on delete cascade,
    constraint task_links_one check (num_nonnulls(contact_id, appointment_id, service_id, provider_id) = 1)
);

comment on table work.task_links is
    'What tasks are about. A column with a foreign key for each kind of object, so that a link leads to an object of '
    'the organization, and goes when the object goes.';
comment on column work.task_links.task_id is 'The task.';
comment on column work.task_links.record_id is 'The id of the object, of every kind.';
comment on column work.task_links.kind is 'contact, appointment, service or provider.';
comment on column work.task_links.contact_id is 'The contact it is about; null: another kind.';
comment on column work.task_links.appointment_id is 'The appointment it is about; null: another kind.';
comment on column work.task_links.service_id is 'The service it is about; null: another kind.';
comment on column work.task_links.provider_id is 'The provider it is about; null: another kind.';

create index task_links_record_idx on work.task_links (tenant_id, record_id, task_id);
create index task_links_contact_idx on work.task_links (tenant_id, contact_id) where contact_id is not null;
create index task_links_appointment_idx on work.task_links (tenant_id, appointment_id)
where appointment_id is not null;
create index task_links_service_idx on work.task_links (tenant_id, service_id) where service_id is not null;
create index task_links_provider_idx on work.task_links (tenant_id, provider_id) where provider_id is not null;

call app.build_wall('work.task_links', reads => 'viewer', inserts => 'staff', deletes => 'staff');
call app.require_feature('work.task_links', 'tasks');
call app.admit('work.task_links', 'appointd_owner', array['all']);
call operations.audit('work.task_links');

grant select, insert (task_id, contact_id, appointment_id, service_id, provider_id), delete
on work.task_links to appointd_api;

create function work.touch_linked() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update work.tasks as t
    set updated_at = now()
    from gone as g
    where t.tenant_id = g.tenant_id and t.id = g.task_id and t.updated_at < now();
    return null;
end
$$;

comment on function work.touch_linked() is
    'Trigger, after links of tasks were deleted, also because what they led to was deleted: sets updated_at of the '
    'tasks.';

create trigger touch_linked after delete on work.task_links
referencing old table as gone for each statement execute function work.touch_linked();


create table work.checklist_items (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    task_id uuid not null,
    text text not null,
    done boolean not null default false,
    created_at timestamptz not null default now(),
    constraint checklist_items_pkey primary key (tenant_id, id),
    constraint checklist_items_task_fkey foreign key (tenant_id, task_id)
        references work.tasks (tenant_id, id) on delete cascade,
    constraint checklist_items_text_length check (length(text) between 1 and 200)
);

comment on table work.checklist_items is 'The steps of a task.';
comment on column work.checklist_items.id is 'UUIDv7: the order of the steps.';
comment on column work.checklist_items.task_id is 'The task.';
comment on column work.checklist_items.text is 'What the step is, 1 to 200 characters.';
comment on column work.checklist_items.done is 'Whether it is done.';
comment on column work.checklist_items.created_at is 'When it was made.';

create index checklist_items_task_idx on work.checklist_items (tenant_id, task_id, id);

call app.build_wall(
    'work.checklist_items', reads => 'viewer', inserts => 'staff', updates => 'staff', deletes => 'staff'
);
call app.require_feature('work.checklist_items', 'tasks');
call app.admit('work.checklist_items', 'appointd_owner', array['all']);
call operations.audit('work.checklist_items');
call messaging.publish('work.checklist_items', 'checklist_item');

grant select, insert (id, task_id, text, done), update (text, done), delete
on work.checklist_items to appointd_api;


create table work.comments (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    task_id uuid not null,
    text text not null,
    mentions uuid[] not null default '{}',
    author_id uuid default coalesce(app.account(), app.api_key()),
    created_at timestamptz not null default now(),
    constraint comments_pkey primary key (tenant_id, id),
    constraint comments_task_fkey foreign key (tenant_id, task_id)
        references work.tasks (tenant_id, id) on delete cascade,
    constraint comments_text_length check (length(text) between 1 and 5000),
    constraint comments_mentions check (cardinality(mentions) <= 20)
);

comment on table work.comments is 'What members say about a task.';
comment on column work.comments.id is 'UUIDv7, so that the order of ids is the order of creation.';
comment on column work.comments.task_id is 'The task.';
comment on column work.comments.text is 'What was said, 1 to 5,000 characters.';
comment on column work.comments.mentions is
    'The accounts of members who are mentioned, at most 20. They stay when a member leaves: it was said to them.';
comment on column work.comments.author_id is 'The account or API key that said it. Filled from the context.';
comment on column work.comments.created_at is 'When.';

create index comments_task_idx on work.comments (tenant_id, task_id, id);

call app.build_wall('work.comments', reads => 'viewer', inserts => 'staff', deletes => 'manager');
-- Staff take back what they have said themselves.
create policy author_delete on work.comments as permissive for delete to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role()) = any ('{staff,manager,admin,owner}')
        and author_id = (select app.account())
    );
call app.require_feature('work.comments', 'tasks');
call app.admit('work.comments', 'appointd_owner', array['all']);
call operations.audit('work.comments');
call messaging.publish('work.comments', 'task_comment', events => 'insert or delete');

grant select, insert (id, task_id, text, mentions), delete on work.comments to appointd_api;
