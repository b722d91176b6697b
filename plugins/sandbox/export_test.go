package sandbox

// CommonFaults are the faults that every dialect has.
var CommonFaults = commonFaults

// JournalName is the file in a sandbox's folder.
const JournalName = journalName

// BreakJournal makes every further write fail, as a full disk does.
func (s *Server) BreakJournal() { _ = s.journal.file.Close() }
