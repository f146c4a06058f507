/** What holds where a rule has nothing to say: the reader may never have heard of module lifetimes. */
import type { RuleId } from '../../model/report.ts';

export const should: Readonly<Record<RuleId, string>> = {
  'ref-leak':
    'Whoever takes a reference to a module gives it back when done. Until then the module cannot be unloaded.',
  'put-without-get':
    'Each module_put() gives back one reference that the same path took. One too many takes it from somebody else, whose module may then be unloaded under their feet.',
  'put-after-failed-get': 'When try_module_get() fails, nothing was taken, so there is nothing to give back.',
  'unprotected-get':
    'Something must keep a module loaded before a reference to it is taken; code of the module itself cannot, since it may be freed while it runs.',
  'early-put':
    'The last reference to a module is dropped from outside of it: code that drops it from inside still has to return through memory that may be gone.',
  'release-after-exit':
    "When a module's memory is freed, none of its release methods may still be running, and nothing may be able to call one.",
  'text-in-use':
    "When a module's memory is freed, no thread, timer, work item, callback or call may still need the code in it.",
  'free-in-interrupt':
    'Objects of a module are destroyed in process context, where sleeping is allowed; an interrupt may only drop a reference.',
  'stuck-unload': 'An unload ends. It may not wait for something that only its own end can bring about.',
  'forced-unload': 'A module is freed only when nobody holds it.',
  'busy-unload': 'rmmod is let in when nobody holds the module.',
  'trace-gap':
    'A capture holds every event. Where some are missing, what it does not show may have happened all the same.',
};
