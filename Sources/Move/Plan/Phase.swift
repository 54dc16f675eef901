/// Where a move stands, and the only steps it can take from there.
///
///     planned ─▶ loading ─▶ following ─▶ cuttingOver ─▶ reversing ─▶ rollingBack ─▶ rolledBack
///                   │           ▲             │  │          ▲             │
///                   ▼           └── undone ───┘  ▼          └── undone ───┘
///                copied (--once)              switched (without a way back)
///
/// The phase is written to the target before the work of the phase begins, so that a move that
/// crashed resumes in the phase it was in. Every phase can be entered twice. A move that crashed in
/// `cuttingOver` or `rollingBack` has not passed the point of no return, which is the entry into the
/// phase after it: its fence is taken away again.
///
/// `finish` and `abort` remove the journal, and with it the phase.
public enum Phase: String, Codable, Sendable, CaseIterable {
    case planned, loading, following, cuttingOver, reversing, rollingBack, rolledBack, switched, copied

    /// The phases that may come next.
    public var next: Set<Phase> {
        switch self {
        case .planned: [.loading]
        case .loading: [.following, .copied]
        case .following: [.cuttingOver]
        case .cuttingOver: [.following, .reversing, .switched]
        case .reversing: [.rollingBack]
        case .rollingBack: [.reversing, .rolledBack]
        case .rolledBack, .switched, .copied: []
        }
    }

    /// Whether the move is over but for `finish`, so that nobody needs to run it.
    public var isLast: Bool { next.isEmpty }

    /// Whether the application still works on the old server, so that the move can be given up.
    public var canAbort: Bool {
        switch self {
        case .planned, .loading, .following, .cuttingOver, .rolledBack: true
        case .reversing, .rollingBack, .switched, .copied: false
        }
    }

    /// Whether the move can be paused: there is something that can hold, and no writer waits for it.
    public var canPause: Bool {
        switch self {
        case .planned, .loading, .following, .reversing: true
        case .cuttingOver, .rollingBack, .rolledBack, .switched, .copied: false
        }
    }

    /// Whether writers are stopped in it.
    var isSwitch: Bool { self == .cuttingOver || self == .rollingBack }

    /// What people read.
    public var title: String {
        switch self {
        case .planned: "planned"
        case .loading: "loading"
        case .following: "following changes"
        case .cuttingOver: "cutting over"
        case .reversing: "cut over; changes flow back to the old server"
        case .rollingBack: "rolling back"
        case .rolledBack: "rolled back to the old server"
        case .switched: "cut over, without a way back"
        case .copied: "copied"
        }
    }
}
