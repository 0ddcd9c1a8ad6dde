//! `clerk.has_role()` and the other questions of Clerk's `has()`.

use clerk_core::{Reverification, ReverificationError, SessionClaims};
use pgrx::prelude::*;

use super::answers;
use crate::c_function;
use crate::call::Call;
use crate::error::Fault;
use crate::pg::backend_local::BackendLocal;

/// The last question and its answer: a policy asks the same for every row.
struct Memo {
    stamp: u64,
    asked: [u8; Memo::LONGEST],
    length: usize,
    answer: bool,
}

impl Memo {
    const LONGEST: usize = 120;
    const EMPTY: Memo = Memo {
        stamp: 0,
        asked: [0; Memo::LONGEST],
        length: 0,
        answer: false,
    };

    #[inline(always)]
    fn recall(&self, stamp: u64, asked: &[u8]) -> Option<bool> {
        (self.stamp == stamp && &self.asked[..self.length] == asked).then_some(self.answer)
    }

    fn remember(&mut self, stamp: u64, asked: &[u8], answer: bool) {
        if asked.len() <= Memo::LONGEST {
            self.asked[..asked.len()].copy_from_slice(asked);
            self.length = asked.len();
            self.stamp = stamp;
            self.answer = answer;
        }
    }
}

/// What is asked about, in the order of `clerk.has()`'s arguments.
#[derive(Clone, Copy)]
#[repr(C)]
enum Question {
    Role,
    Permission,
    Feature,
    Plan,
}

impl Question {
    const ALL: [Question; 4] = [
        Question::Role,
        Question::Permission,
        Question::Feature,
        Question::Plan,
    ];

    fn holds(self, session: &SessionClaims, asked: &str) -> bool {
        match self {
            Question::Role => session.has_role(asked),
            Question::Permission => session.has_permission(asked),
            Question::Feature => session.has_feature(asked),
            Question::Plan => session.has_plan(asked),
        }
    }
}

/// Exports a question of one text argument. It is leakproof: by argument it neither raises nor logs, and NULL is false.
macro_rules! question {
    ($symbol:ident, $question:expr) => {
        $crate::c_function_record!($symbol);

        /// # Safety
        /// Called by Postgres only.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(info: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
            static MEMO: BackendLocal<Memo> = BackendLocal::new(Memo::EMPTY);
            // SAFETY: `info` comes from Postgres.
            let call = unsafe { Call::new(info) };
            if let (Some(stamp), Some(asked)) = (answers::lasting_stamp(), call.plain_text(0)) {
                if let Some(Some(answer)) = MEMO.try_with(|memo| memo.recall(stamp, asked)) {
                    return call.answer(Some(pg_sys::Datum::from(answer)));
                }
            }
            // SAFETY: as above.
            unsafe { ask(info, $question, &MEMO) }
        }
    };
}

question!(clerk_has_role, Question::Role);
question!(clerk_has_permission, Question::Permission);
question!(clerk_has_feature, Question::Feature);
question!(clerk_has_plan, Question::Plan);

#[pg_guard]
unsafe extern "C-unwind" fn ask(
    info: pg_sys::FunctionCallInfo,
    question: Question,
    memo: &'static BackendLocal<Memo>,
) -> pg_sys::Datum {
    // SAFETY: the caller passes what Postgres gave it.
    let call = unsafe { Call::new(info) };
    let identity = answers::identity(&call);
    let answer = match (call.text(0), identity) {
        (Some(asked), Some(credential)) => question.holds(credential.session(), &asked),
        _ => false,
    };
    if let (Some(stamp), Some(asked)) = (answers::lasting_stamp(), call.plain_text(0)) {
        memo.with(|memo| memo.remember(stamp, asked, answer));
    }
    call.answer(Some(pg_sys::Datum::from(answer)))
}

c_function!(clerk_has_reverification, has_reverification);

/// `has_reverification(preset_or_level text, after_minutes int default null)`
fn has_reverification(call: &Call) -> Option<pg_sys::Datum> {
    let Some(level) = call.text(0) else {
        return Some(pg_sys::Datum::from(false));
    };
    // SAFETY: the argument is declared as int4.
    let minutes = call
        .argument(1)
        .and_then(|datum| unsafe { i32::from_datum(datum, false) });
    let demand = understood(Reverification::parse(&level, minutes));
    let fresh =
        answers::identity(call).is_some_and(|credential| credential.session().has_reverification(&demand));
    Some(pg_sys::Datum::from(fresh))
}

fn understood(demand: Result<Reverification, ReverificationError>) -> Reverification {
    demand.unwrap_or_else(|error| Fault::argument(error.message, error.hint).raise())
}

c_function!(clerk_has, has);

/// The default of every argument of `has()`: not asked. It is no key of Clerk's. The empty text is not it: an application that
/// means to ask, and has nothing to ask for, must be denied, as in Clerk's SDK.
const NOT_ASKED: &str = "*";

/// `has(role, permission, feature, plan, reverification)`: all that is asked must hold. NULL, which asks for something unknown,
/// is false, and so is asking nothing.
fn has(call: &Call) -> Option<pg_sys::Datum> {
    const REVERIFICATION: usize = Question::ALL.len();

    let asked: [Option<String>; 5] = std::array::from_fn(|index| call.text(index));
    // An unknown preset is the policy's mistake, so it shows for everybody.
    let demand = asked[REVERIFICATION]
        .as_deref()
        .filter(|text| *text != NOT_ASKED)
        .map(|text| understood(Reverification::parse_text(text)));
    let nothing_asked = asked.iter().all(|text| text.as_deref() == Some(NOT_ASKED));
    let identity = answers::identity(call);
    let answer = match identity {
        Some(credential) if !nothing_asked && asked.iter().all(Option::is_some) => {
            let session = credential.session();
            let mut asked = Question::ALL.iter().zip(asked.iter().flatten());
            asked.all(|(question, text)| text == NOT_ASKED || question.holds(session, text))
                && demand.is_none_or(|demand| session.has_reverification(&demand))
        }
        _ => false,
    };
    Some(pg_sys::Datum::from(answer))
}
